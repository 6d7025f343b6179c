// The figures of the race: what each is called, which way is better, and what coffer has set itself.

/** A figure of a workload. `target`: how many times the best peer, and `floor`, `plain`: shares of those. */
export const FIGURES = [
  ['stream', 'write', 'sequential write of 2 GiB', 'MiB/s', 'high', { peer: 2.5, floor: 0.6 }],
  ['stream', 'read', 'sequential read', 'MiB/s', 'high', { peer: 1.5, floor: 0.6 }],
  ['random', 'read', 'random 4 KiB reads in 256 MiB', '/s', 'high', { peer: 1.2 }],
  ['random', 'write', 'random 4 KiB writes', '/s', 'high', { peer: 1.2 }],
  ['random', 'synced', 'random 4 KiB writes, each with fsync', '/s', 'high', { peer: 1.2 }],
  ['files', 'create', 'creating 10 000 files of 4 KiB', 's', 'low', { peer: 1.25, plain: 1.4 }],
  ['tree', 'untar', 'untar of 20 000 files', 's', 'low', { peer: 1.25, plain: 1.4 }],
  ['tree', 'list', '`ls -lR` of it', 's', 'low', { peer: 1.5 }],
  ['tree', 'pack', '`tar cf -` of it', 's', 'low', { peer: 1.5 }],
  ['tree', 'git', '`git status` in it', 's', 'low', {}],
  ['tree', 'remove', '`rm -rf` of it', 's', 'low', { peer: 1.25, plain: 1.4 }],
  ['stats', 'missing', '50 000 `stat`s of missing names', 's', 'low', { peer: 1.5 }],
  ['stats', 'existing', '50 000 `stat`s of existing names', 's', 'low', { peer: 1.5 }],
  ['directory', 'create', 'a folder of 200 000 entries: made', 's', 'low', {}],
  ['directory', 'list', '… listed', 's', 'low', {}],
  ['directory', 'lookup', '… each looked up', 's', 'low', {}],
  ['directory', 'remove', '… each removed', 's', 'low', {}],
  ['directory', 'growth', '… the last tenth of making it, by the first', '×', 'low', { most: 1.5 }],
  [
    'sparse',
    'growth',
    'changing a sparse file of 100 GiB, by one of 1 MiB',
    '×',
    'low',
    { most: 1.5 },
  ],
  ['sqlite', 'inserts', 'SQLite: inserts, each its own transaction', '/s', 'high', {}],
  ['stream', 'mount', 'mount', 's', 'low', {}],
  ['stream', 'unmount', 'unmount', 's', 'low', {}],
  ['stream', 'cpuIn', 'CPU seconds per GiB, in', 's', 'low', { peer: 1 }],
  ['stream', 'cpuOut', 'CPU seconds per GiB, out', 's', 'low', { peer: 1 }],
  ['files', 'cpu', 'CPU seconds, 10 000 files', 's', 'low', {}],
  ['tree', 'untarCpu', 'CPU seconds, untar', 's', 'low', {}],
  ['tree', 'packCpu', 'CPU seconds, `tar cf -`', 's', 'low', {}],
  ['stream', 'memory', 'peak memory, 2 GiB in and out', 'MiB', 'low', { most: 250 }],
  ['random', 'memory', 'peak memory, random', 'MiB', 'low', { most: 250 }],
  ['tree', 'memory', 'peak memory, tree', 'MiB', 'low', { most: 250 }],
  ['directory', 'memory', 'peak memory, 200 000 entries', 'MiB', 'low', { most: 250 }],
  ['sparse', 'memory', 'peak memory, sparse', 'MiB', 'low', { most: 250 }],
  ['idle', 'share', 'CPU while nobody asks', '%', 'low', { most: 0.2 }],
].map(([workload, key, title, unit, better, target]) => ({
  workload,
  key,
  title,
  unit,
  better,
  target,
}))

export const median = (numbers) => {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** How many times better `a` is. */
const times = ({ better }, a, b) => (better === 'high' ? a / b : b / a)

const PEERS = ['gocryptfs', 'securefs', 'encfs', 'cryfs', 'rclone']

/** Median, least and most of the rounds of a contender; null where it has none. */
export function spread(results, { workload, key }, contender) {
  const all = results[workload]?.rounds[contender]?.map((round) => round[key]) ?? []
  const numbers = all.filter((number) => Number.isFinite(number))
  if (numbers.length === 0) return null
  return { median: median(numbers), least: Math.min(...numbers), most: Math.max(...numbers) }
}

/**
 * What coffer on Node 24 comes to against what it has set itself: a line for each part of the target, with
 * what was measured and whether it holds. A multiple of a peer that would beat the plain disk asks for 0.9
 * of the plain disk.
 */
export function judge(results, figure) {
  const own = spread(results, figure, 'coffer24')?.median
  if (own === undefined) return []
  const of = (contender) => spread(results, figure, contender)?.median
  const { target } = figure
  const verdicts = []
  const say = (against, wanted, reached) =>
    verdicts.push({ against, wanted, reached, holds: reached >= wanted })
  if (target.peer !== undefined) {
    const peers = PEERS.filter((peer) => of(peer) !== undefined)
    const [best] = peers.sort((a, b) => times(figure, of(b), of(a)) - 1)
    if (best !== undefined) {
      const plain = figure.key.startsWith('cpu') ? undefined : of('plain')
      const limit = plain === undefined ? Infinity : 0.9 * times(figure, plain, of(best))
      const wanted = Math.min(target.peer, limit)
      say(
        wanted < target.peer ? `${best} (0.9 of the disk)` : best,
        wanted,
        times(figure, own, of(best)),
      )
    }
  }
  if (target.floor !== undefined && of('floor') !== undefined)
    say('floor', target.floor, times(figure, own, of('floor')))
  if (target.plain !== undefined && of('plain') !== undefined)
    say('plain', 1 / target.plain, times(figure, own, of('plain')))
  if (target.most !== undefined)
    verdicts.push({
      against: 'limit',
      wanted: target.most,
      reached: own,
      holds: own <= target.most,
    })
  return verdicts
}
