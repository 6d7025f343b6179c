// The oracle: a second reader of the vault format, written from FORMAT.md without a line of lib/.
// It reads a vault folder whole and says what every plain path is, and by which blob; the tests
// that judge the drive compare the two.

import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { generationKey, parseObject, plainSize, readContent, standing, ticketOf } from './object.js'
import type { OracleObject, OracleSeal, VaultKeys } from './object.js'
import {
  cat,
  gcmOpen,
  HK,
  hex,
  open,
  scrypt,
  sha256,
  sivOpen,
  sivSeal,
  text,
  unhex,
  zeros,
} from './primitives.js'

export type { VaultKeys } from './object.js'

export interface OracleNode {
  type: 'directory' | 'file' | 'symlink' | 'special'
  /** path of the blob below the vault folder */
  blob: string
  /** bytes of a file, target of a link; empty elsewhere and where there is a problem */
  content: Buffer
  size: number
  /** permission bits */
  mode: number
  /** permission bits in the seal, 0 where there is none */
  sealedMode: number
  /** nanoseconds */
  mtime: bigint
  rdev: number
  /** why it cannot be read, or null */
  problem: string | null
}

/** Opens vault.coffer with a password. */
export function unlock(folder: string, password: string): VaultKeys {
  const config = readFileSync(join(folder, 'vault.coffer'))
  const vaultId = config.subarray(24, 40)
  const bodyAt = 72 + config.readUInt32BE(12)
  for (let at = 72; at < bodyAt; at += 12 + config.readUInt16BE(at + 2)) {
    if (config[at] !== 1) continue
    const slot = config.subarray(at, at + 12 + config.readUInt16BE(at + 2))
    const [logN, , p] = slot.subarray(12, 16)
    const salt = cat(text('coffer/v1/scrypt'), vaultId, slot.subarray(16, 48))
    const okm = scrypt(text(password.normalize('NFC')), salt, logN!, p!)
    if (!okm.subarray(32).equals(slot.subarray(48, 80))) continue
    const aad = cat(config.subarray(0, 10), vaultId, slot.subarray(0, 80))
    const vrk = gcmOpen(okm.subarray(0, 32), zeros(12), slot.subarray(80), aad)
    if (vrk === null) throw new Error('the slot does not open')
    const key = HK(vrk, vaultId, text('coffer/v1/config-body'), 32)
    const before = config.subarray(0, bodyAt)
    const body = open(key, config.subarray(48, 72), config.subarray(bodyAt), before)
    if (body === null) throw new Error('the body does not open')
    return keysOf(vaultId, JSON.parse(body.toString()) as Body)
  }
  throw new Error('no slot for this password')
}

interface Body {
  chunkLog2?: number
  rootDirId: string
  rootKeyId: string
  seeds: Record<string, string>
  policy: { strictMax: number }
}

const keysOf = (vaultId: Buffer, body: Body): VaultKeys => ({
  vaultId,
  rootDirId: unhex(body.rootDirId),
  rootKeyId: body.rootKeyId,
  seeds: new Map(Object.entries(body.seeds).map(([id, seed]) => [id, unhex(seed)])),
  chunkLog2: body.chunkLog2 ?? 15,
  strictMax: body.policy.strictMax,
})

interface DirId {
  dirId: Buffer
  nameKey: Buffer
}

const EXTENSIONS = ['.cfd', '.cff', '.cfl', '.cfs']
const TYPES = ['directory', 'file', 'symlink', 'special'] as const
const KINDS = [3, 1, 2, 4]

/** Every plain path from "/a" on, with the directory's own ids for whoever wants to forge. */
export function readTree(folder: string, vault: VaultKeys): Map<string, OracleNode> {
  const tree = new Map<string, OracleNode>()
  const nameKey = generationKey(vault, vault.rootKeyId, 'name', 64)
  readDirectory(vault, folder, 'data', '', [{ dirId: vault.rootDirId, nameKey }], tree, [])
  return tree
}

/** A further version of what bears a name, or would. */
export type OracleConflict = OracleNode & { of: string }

/** Every conflict copy, but those in directories that are conflict copies themselves. */
export function readConflicts(folder: string, vault: VaultKeys): OracleConflict[] {
  const conflicts: OracleConflict[] = []
  const nameKey = generationKey(vault, vault.rootKeyId, 'name', 64)
  const root = [{ dirId: vault.rootDirId, nameKey }]
  readDirectory(vault, folder, 'data', '', root, new Map(), conflicts)
  return conflicts
}

function readDirectory(
  vault: VaultKeys,
  folder: string,
  backing: string,
  plain: string,
  ids: DirId[],
  tree: Map<string, OracleNode>,
  conflicts: OracleConflict[],
): void {
  const best = new Map<string, { rank: number; base: string; id: DirId; type: number }>()
  const keep = (file: string, base: string, id: DirId, name: string, type: number): void => {
    const node = readNode(vault, folder, join(backing, file), base, id, name, type)
    conflicts.push({ ...node, of: `${plain}/${name}` })
  }
  for (const file of readdirSync(join(folder, backing))) {
    const type = EXTENSIONS.indexOf(file.slice(-4))
    const base = file.slice(0, -4)
    let known = false
    for (const [order, id] of type < 0 ? [] : ids.entries()) {
      const name = decodeName(vault, join(folder, backing), base, type, id)
      if (name === null) continue
      known = true
      const rank = order * 4 + type
      const other = best.get(name)
      if (other !== undefined && other.rank < rank) keep(file, base, id, name, type)
      else {
        if (other !== undefined)
          keep(other.base + EXTENSIONS[other.type]!, other.base, other.id, name, other.type)
        best.set(name, { rank, base, id, type })
      }
      break
    }
    if (!known) keepCopy(vault, join(folder, backing), file, ids, keep)
  }
  for (const [name, { base, id, type }] of best) {
    const blob = join(backing, base + EXTENSIONS[type]!)
    const node = readNode(vault, folder, blob, base, id, name, type)
    tree.set(`${plain}/${name}`, node)
    if (type !== 0) continue
    try {
      const { ids: below, seal } = readMetas(vault, join(folder, blob), id.dirId, name)
      if ((node.mode & 0o1000) !== 0) node.mode = seal.mode & 0o7777
      readDirectory(vault, folder, blob, `${plain}/${name}`, below, tree, conflicts)
    } catch (error) {
      node.problem = (error as Error).message
    }
  }
}

/** A base, something that was put in, an extension; or an extension and then what was put in. */
function keepCopy(
  vault: VaultKeys,
  directory: string,
  file: string,
  ids: DirId[],
  keep: (file: string, base: string, id: DirId, name: string, type: number) => void,
): void {
  for (let length = Math.min(215, file.length - 5); length >= 44; length--) {
    const type = EXTENSIONS.findIndex((extension) => file.slice(length).includes(extension))
    if (type < 0) continue
    const base = file.slice(0, length)
    for (const id of ids) {
      const name = decodeName(vault, directory, base, type, id, file)
      if (name === null) continue
      keep(file, base, id, name, type)
      return
    }
  }
}

/** The plain name of a base, if it is one of this directory's. */
function decodeName(
  vault: VaultKeys,
  directory: string,
  base: string,
  type: number,
  { dirId, nameKey }: DirId,
  file = base + EXTENSIONS[type]!,
): string | null {
  let ct: Buffer
  if (/^c[A-Za-z0-9_-]{43,192}$/.test(base)) {
    ct = Buffer.from(base.slice(1), 'base64url')
    if (ct.toString('base64url') !== base.slice(1)) return null
  } else if (/^l[A-Za-z0-9_-]{43}$/.test(base)) {
    const hashes = (bytes: Buffer): boolean => `l${sha256(bytes).toString('base64url')}` === base
    try {
      ct = readRegular(join(directory, `${base}.cfn`))
      if (!hashes(ct)) throw new Error('another sidecar')
    } catch {
      const found = claimedNames(vault, directory, file, base, type)
        .map((name) => sivSeal(nameKey, dirId, pad(name)))
        .find(hashes)
      if (found === undefined) return null
      ct = found
    }
  } else return null
  const padded = sivOpen(nameKey, dirId, ct)
  if (padded === null) return null
  const name = padded.subarray(0, padded.lastIndexOf(0x80)).toString('utf8')
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) return null
  const long = Buffer.byteLength(name) > 127
  return pad(name).equals(padded) && long === base.startsWith('l') ? name : null
}

/** What an object without its sidecar says that it is called: by its seal, its ticket, its metas. */
function claimedNames(
  vault: VaultKeys,
  directory: string,
  file: string,
  base: string,
  type: number,
): string[] {
  const path = join(directory, file)
  try {
    if (type === 0)
      return readdirSync(path)
        .filter((name) => name.startsWith('dir-'))
        .map((meta) => parseObject(vault, readRegular(join(path, meta)), 3).current.name)
    const object = parseObject(vault, readRegular(path), KINDS[type]!)
    const ticket = join(directory, ticketFile(base, object))
    const there = lstatSync(ticket, { throwIfNoEntry: false })?.isFile() === true
    const named = there ? ticketOf(object, readFileSync(ticket)) : null
    return [object.current.name, ...(named === null ? [] : [named.name])]
  } catch {
    return []
  }
}

const ticketFile = (base: string, { objectId }: OracleObject): string =>
  `${base}-${hex(objectId.subarray(0, 8))}.cfr`

export function pad(name: string): Buffer {
  const p = text(name)
  return cat(p, Buffer.from([0x80]), zeros(15 - (p.length % 16)))
}

/** The ids of a directory that is reached as (parent, name), in the order of their turn, and its seal. */
function readMetas(vault: VaultKeys, directory: string, parentDirId: Buffer, name: string) {
  const metas: { keyId: string; objectId: Buffer; seal: OracleSeal; current: boolean }[] = []
  for (const file of readdirSync(directory)) {
    if (!/^dir-[0-9a-f]{16}.*\.cfm(?![A-Za-z0-9])/s.test(file)) continue
    try {
      const bytes = readRegular(join(directory, file))
      if (bytes.length !== 1024) continue
      const object = parseObject(vault, bytes, 3)
      const by = standing(object, parentDirId, name, null)
      if (by === 'elsewhere') continue
      const { keyId, objectId, current: seal } = object
      metas.push({ keyId, objectId, seal, current: by === 'current' })
    } catch {
      continue
    }
  }
  const some = metas.some(({ current }) => current)
  const counting = metas.filter(({ current }) => current === some)
  type One = (typeof metas)[number]
  const newest = (a: One, b: One): number =>
    Number(b.seal.mtime - a.seal.mtime) || Buffer.compare(a.objectId, b.objectId)
  const last = (a: One, b: One): number => Number(b.seal.sealSeq - a.seal.sealSeq) || newest(a, b)
  const [first] = [...counting].sort(last)
  if (first === undefined) throw new Error('no meta of this directory')
  counting.sort(newest)
  const ids = counting.map(({ keyId, seal }) => ({
    dirId: seal.acc,
    nameKey: generationKey(vault, keyId, 'name', 64),
  }))
  return { ids, seal: first.seal }
}

function readRegular(path: string): Buffer {
  if (!lstatSync(path).isFile()) throw new Error('not a regular file')
  return readFileSync(path)
}

function readNode(
  vault: VaultKeys,
  folder: string,
  blob: string,
  base: string,
  id: DirId,
  name: string,
  type: number,
): OracleNode {
  const path = join(folder, blob)
  const stat = lstatSync(path, { bigint: true })
  const node: OracleNode = {
    type: TYPES[type]!,
    blob,
    content: zeros(0),
    size: 0,
    mode: Number(stat.mode) & 0o7777,
    sealedMode: 0,
    mtime: stat.mtimeNs,
    rdev: 0,
    problem: null,
  }
  if (type === 1 || type === 2) node.size = plainSize(vault, Number(stat.size)).size
  try {
    if (type === 0) {
      if (!stat.isDirectory()) throw new Error('not a directory')
      return node
    }
    const bytes = readRegular(path)
    const object = parseObject(vault, bytes, KINDS[type]!)
    node.sealedMode = object.current.mode & 0o7777
    if ((node.mode & 0o1000) !== 0) node.mode = node.sealedMode
    const ticket = join(folder, blob, '..', ticketFile(base, object))
    const there = lstatSync(ticket, { throwIfNoEntry: false })?.isFile() === true
    const by = standing(object, id.dirId, name, there ? readFileSync(ticket) : null)
    if (by === 'elsewhere') throw new Error('sealed for another place')
    node.rdev = object.current.rdev
    if (type === 3) {
      if (bytes.length !== 1024) throw new Error('not the length of a header')
    } else node.content = readContent(vault, object, bytes)
  } catch (error) {
    node.problem = (error as Error).message
  }
  return node
}
