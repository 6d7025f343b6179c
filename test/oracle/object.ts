// The oracle's view of one object: header, seals, tickets, chunks (FORMAT.md §3, §4, §7). Whatever is
// not as the format says is an Error with a few words.

import { allZero, cat, CMAC, HK, hex, open, text, u32, u64, u8, zeros } from './primitives.js'

export interface VaultKeys {
  vaultId: Buffer
  rootDirId: Buffer
  /** hex */
  rootKeyId: string
  /** by keyId in hex */
  seeds: Map<string, Buffer>
  chunkLog2: number
  strictMax: number
}

export interface OracleSeal {
  sealSeq: bigint
  length: number
  /** kind 3: dirId */
  acc: Buffer
  parentDirId: Buffer
  mtime: bigint
  mode: number
  rdev: number
  name: string
  writer: Buffer
  chunkWrites: bigint
  absent: number
  prevTag: Buffer
}

export interface OracleObject {
  header: Buffer
  kind: number
  objectId: Buffer
  keyId: string
  content: Buffer
  seal: Buffer
  acc: Buffer
  xattr: Buffer
  current: OracleSeal
}

export const generationKey = (
  vault: VaultKeys,
  keyId: string,
  what: 'name' | 'wrap',
  n: number,
): Buffer => {
  const seed = vault.seeds.get(keyId)
  if (seed === undefined) throw new Error('unknown keyId')
  return HK(seed, vault.vaultId, text(`coffer/v1/${what}`), n)
}

export function parseObject(vault: VaultKeys, bytes: Buffer, kind: number): OracleObject {
  const header = Buffer.from(bytes.subarray(0, 1024))
  if (header.length < 1024) throw new Error('shorter than a header')
  const chunkLog2 = kind <= 2 ? vault.chunkLog2 : 0
  const start = cat(
    Buffer.from('89434f460d0a1a0a', 'hex'),
    Buffer.from([1, 1, kind, chunkLog2, 4, 0, 0, 0]),
  )
  if (!header.subarray(0, 16).equals(start)) throw new Error('static block')
  if (!allZero(header.subarray(112, 128))) throw new Error('static block: reserved bytes')
  const objectId = header.subarray(16, 32)
  const keyId = hex(header.subarray(32, 40))
  const wrap = generationKey(vault, keyId, 'wrap', 32)
  const fk = open(
    wrap,
    header.subarray(40, 64),
    header.subarray(64, 112),
    cat(header.subarray(0, 40), vault.vaultId),
  )
  if (fk === null) throw new Error('the file key does not unwrap')
  const okm = HK(
    fk,
    cat(vault.vaultId, objectId),
    cat(text('coffer/v1/object'), Buffer.from([kind, 1, chunkLog2])),
    128,
  )
  const keys = {
    content: okm.subarray(0, 32),
    seal: okm.subarray(32, 64),
    acc: okm.subarray(64, 96),
    xattr: okm.subarray(96, 128),
  }
  const seals: OracleSeal[] = []
  for (const slot of [0, 1]) {
    const found = openSeal(
      header.subarray(128 + 448 * slot, 576 + 448 * slot),
      slot,
      header,
      keys.seal,
    )
    if (found === null) continue
    if (found.sealSeq % 2n !== BigInt(slot)) throw new Error('seal: parity')
    if (kind > 2 && (found.length !== 0 || found.absent !== 0)) throw new Error('seal: length')
    if (kind === 4 && !allZero(found.acc)) throw new Error('seal: acc')
    if (kind !== 4 && found.rdev !== 0) throw new Error('seal: rdev')
    seals.push(found)
  }
  seals.sort((a, b) => (a.sealSeq > b.sealSeq ? -1 : 1))
  if (seals[0] === undefined) throw new Error('no valid seal')
  return { header, kind, objectId, keyId, ...keys, current: seals[0] }
}

/** null where the tag fails */
export function openSeal(
  slot: Buffer,
  place: number,
  header: Buffer,
  key: Buffer,
): OracleSeal | null {
  if (slot.length !== 448) return null
  const aad = cat(header.subarray(0, 32), u8(place))
  const s = open(key, slot.subarray(0, 24), slot.subarray(24), aad)
  if (s === null) return null
  const nameLength = s.readUInt16BE(68)
  if (s.readUInt32BE(64) !== 0) throw new Error('seal: flags')
  if (!allZero(s.subarray(70, 72)) || !allZero(s.subarray(376))) throw new Error('seal: reserved')
  if (nameLength < 1 || nameLength > 255) throw new Error('seal: nameLen')
  if (!allZero(s.subarray(96 + nameLength, 352))) throw new Error('seal: padding of the name')
  return {
    sealSeq: s.readBigUInt64BE(0),
    length: Number(s.readBigUInt64BE(8)),
    acc: s.subarray(16, 32),
    parentDirId: s.subarray(32, 48),
    mtime: s.readBigInt64BE(48),
    mode: s.readUInt32BE(56),
    rdev: s.readUInt32BE(60),
    name: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
      s.subarray(96, 96 + nameLength),
    ),
    writer: s.subarray(72, 88),
    chunkWrites: s.readBigUInt64BE(88),
    absent: Number(s.readBigUInt64BE(352)),
    prevTag: s.subarray(360, 376),
  }
}

export const previousTag = (acc: Buffer, parentDirId: Buffer, name: string): Buffer =>
  CMAC(acc, cat(Buffer.alloc(8, 0xff), parentDirId, text(name)))

export type Standing = 'current' | 'ticket' | 'leaving' | 'elsewhere'

/** Check 4: by what right does the object bear that name? `ticket`: content of its ticket file. */
export function standing(
  object: OracleObject,
  parentDirId: Buffer,
  name: string,
  ticket: Buffer | null,
): Standing {
  const { current } = object
  const here = (s: OracleSeal): boolean => s.parentDirId.equals(parentDirId) && s.name === name
  if (here(current)) return 'current'
  const counting = ticket === null ? null : ticketOf(object, ticket)
  if (counting !== null && here(counting)) return 'ticket'
  if (allZero(current.prevTag)) return 'elsewhere'
  return previousTag(object.acc, parentDirId, name).equals(current.prevTag)
    ? 'leaving'
    : 'elsewhere'
}

/** The ticket of an object, where it counts. */
export function ticketOf(object: OracleObject, ticket: Buffer): OracleSeal | null {
  const rename = openSeal(ticket, 2, object.header, object.seal)
  const found = rename ?? openSeal(ticket, 3, object.header, object.seal)
  if (found !== null && !ticketIsPlain(found)) throw new Error('ticket: says too much')
  return rename === null || rename.sealSeq > object.current.sealSeq ? found : null
}

const ticketIsPlain = (s: OracleSeal): boolean =>
  s.length + s.absent + s.mode + s.rdev === 0 &&
  s.mtime === 0n &&
  s.chunkWrites === 0n &&
  allZero(s.acc) &&
  allZero(s.prevTag)

/** The size that the length of a blob stands for, and whether a whole file can have it. */
export function plainSize(vault: VaultKeys, backing: number): { size: number; possible: boolean } {
  const c = 2 ** vault.chunkLog2
  const b = backing - 1024
  const q = Math.floor(b / (c + 40))
  const r = b - q * (c + 40)
  const size = q * c + r - 40
  const possible = b >= 40 && r >= 40
  return { size: Math.max(0, size), possible }
}

/** Checks 5 to 7 over the whole blob of kind 1 or 2: its plaintext. */
export function readContent(vault: VaultKeys, object: OracleObject, bytes: Buffer): Buffer {
  const { current } = object
  const c = 2 ** vault.chunkLog2
  const { size, possible } = plainSize(vault, bytes.length)
  if (!possible || size < current.length) throw new Error('cut short')
  if (size > current.length) throw new Error('longer than its seal')
  const last = Math.floor(size / c)
  let acc = zeros(16)
  let absent = 0
  const plain: Buffer[] = []
  for (let i = 0; i <= last; i++) {
    const at = 1024 + i * (c + 40)
    const length = i === last ? size - last * c : c
    const record = bytes.subarray(at, at + length + 40)
    const [nonce, tag] = [record.subarray(0, 24), record.subarray(24 + length)]
    if (i < last && allZero(nonce) && allZero(tag)) {
      if (!allZero(record)) throw new Error(`chunk ${i} is half erased`)
      absent++
      plain.push(zeros(c))
      continue
    }
    const term = CMAC(object.acc, cat(u64(i), nonce, tag))
    acc = Buffer.from(acc.map((byte, k) => byte ^ term[k]!))
    const chunk = open(object.content, nonce, record.subarray(24), cat(u64(i), u32(length)))
    if (chunk === null) throw new Error(`chunk ${i} does not verify`)
    plain.push(chunk)
  }
  if (absent !== current.absent || !acc.equals(current.acc)) throw new Error('acc or absent')
  return cat(...plain)
}
