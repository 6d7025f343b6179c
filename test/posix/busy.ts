// A program that works in one folder for a while, as a restless application does: it writes, appends,
// cuts, renames, removes and reads, and knows at every moment what each file must hold.
// `node busy.js <folder> <seed> <milliseconds>` prints what is left as JSON: name and SHA-256.

import { createHash } from 'node:crypto'
import {
  appendFileSync,
  readdirSync,
  readFileSync,
  renameSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { Buffer } from 'node:buffer'
import { join } from 'node:path'
import { noise } from './folder.js'

const [folder = '', seed = '1', milliseconds = '1000'] = process.argv.slice(2)
const random = noise(1 << 20, Number(seed))
let at = 0
const below = (limit: number): number => {
  at = (at + 4) % (random.length - 4)
  return random.readUInt32LE(at) % limit
}
const piece = (): Buffer => {
  const start = below(random.length / 2)
  return random.subarray(start, start + (below(4) === 0 ? below(300_000) : below(5000)))
}
const hash = (content: Buffer): string => createHash('sha256').update(content).digest('hex')

const files = new Map<string, Buffer>()
const anyFile = (): string | undefined => [...files.keys()][below(files.size)]

function check(name: string): void {
  const seen = readFileSync(join(folder, name))
  const wanted = files.get(name)
  if (wanted?.equals(seen) !== true) throw new Error(`${name} is not what was written`)
}

const steps: ((name: string) => void)[] = [
  (name) => {
    const more = piece()
    appendFileSync(join(folder, name), more)
    files.set(name, Buffer.concat([files.get(name) ?? Buffer.alloc(0), more]))
  },
  (name) => {
    const length = below(50_000)
    truncateSync(join(folder, name), length)
    const content = Buffer.alloc(length)
    files.get(name)?.copy(content)
    files.set(name, content)
  },
  (name) => {
    const other = below(2) === 0 ? `f${String(below(60))}` : (anyFile() ?? 'f0')
    if (other === name) return
    renameSync(join(folder, name), join(folder, other))
    files.set(other, files.get(name) ?? Buffer.alloc(0))
    files.delete(name)
  },
  (name) => {
    unlinkSync(join(folder, name))
    files.delete(name)
  },
  check,
  check,
]

let done = 0
for (const end = Date.now() + Number(milliseconds); Date.now() < end; done++) {
  const name = anyFile()
  if (name === undefined || below(3) === 0) {
    const made = `f${String(below(60))}`
    const content = piece()
    writeFileSync(join(folder, made), content)
    files.set(made, Buffer.from(content))
  } else steps[below(steps.length)]?.(name)
}
for (const name of files.keys()) check(name)
const listed = readdirSync(folder).sort()
if (listed.join() !== [...files.keys()].sort().join())
  throw new Error(`the listing is ${listed.join()}`)
const left = Object.fromEntries([...files].map(([name, content]) => [name, hash(content)]))
process.stdout.write(JSON.stringify({ done, left }))
