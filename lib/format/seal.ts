// Seals: the signed state of an object, and tickets, which are seals that lie beside it.
// FORMAT.md §3 and §7. Pure.

import { Buffer } from 'node:buffer'
import { CofferError } from '../errors.js'
import type { Xaes } from '../crypto/engine.js'
import {
  KIND_DIRECTORY,
  KIND_SPECIAL,
  NAME_MAX,
  SEAL_SIZE,
  SLOT_SIZE,
  slotOffset,
  type Kind,
} from './constants.js'
import { isZero } from './chunk.js'

export interface Seal {
  sealSeq: number
  /** plaintext bytes, kinds 1 and 2 */
  length: number
  /** kinds 1, 2: accumulator; kind 3: dirId; kind 4: zero */
  acc: Uint8Array
  parentDirId: Uint8Array
  mtimeSec: number
  mtimeNsec: number
  /** type and permission bits */
  mode: number
  rdev: number
  name: string
  /** deviceId of the writer */
  writer: Uint8Array
  /** chunk writes so far under this file key */
  chunkWrites: number
  /** number of absent chunks */
  absent: number
  /** zero, or the tag of the name that a rename is leaving */
  prevTag: Uint8Array
}

export const SLOT_RENAME_TICKET = 2
export const SLOT_LINK_TICKET = 3
export type SealPlace = 0 | 1 | 2 | 3

const NSEC = 1_000_000_000n
const plain = new Uint8Array(SEAL_SIZE)
const view = new DataView(plain.buffer)
const aad = new Uint8Array(33)
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function u64(offset: number): number {
  const value = view.getBigUint64(offset)
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw broken('a number is out of range')
  return Number(value)
}

function broken(what: string): CofferError {
  return new CofferError('OBJECT_DAMAGED', `a seal breaks the rules of the format: ${what}`)
}

function setAad(header: Uint8Array, place: SealPlace): void {
  aad.set(header.subarray(0, 32), 0)
  aad[32] = place
}

function encode(seal: Seal): void {
  plain.fill(0)
  view.setBigUint64(0, BigInt(seal.sealSeq))
  view.setBigUint64(8, BigInt(seal.length))
  plain.set(seal.acc, 16)
  plain.set(seal.parentDirId, 32)
  view.setBigInt64(48, BigInt(seal.mtimeSec) * NSEC + BigInt(seal.mtimeNsec))
  view.setUint32(56, seal.mode)
  view.setUint32(60, seal.rdev)
  const name = Buffer.from(seal.name, 'utf8')
  view.setUint16(68, name.length)
  plain.set(seal.writer, 72)
  view.setBigUint64(88, BigInt(seal.chunkWrites))
  plain.set(name, 96)
  view.setBigUint64(352, BigInt(seal.absent))
  plain.set(seal.prevTag, 360)
}

function decode(): Seal {
  if (view.getUint32(64) !== 0)
    throw new CofferError('NEWER_VERSION', 'a seal has flags that this program does not know')
  if (view.getUint16(70) !== 0 || !isZero(plain, 376, 32)) throw broken('reserved bytes are in use')
  const nameLength = view.getUint16(68)
  if (nameLength < 1 || nameLength > NAME_MAX) throw broken('the name has an impossible length')
  if (!isZero(plain, 96 + nameLength, 256 - nameLength))
    throw broken('the name is not padded with zeros')
  const mtime = view.getBigInt64(48)
  let mtimeSec = mtime / NSEC
  if (mtimeSec * NSEC > mtime) mtimeSec -= 1n
  let name: string
  try {
    name = utf8.decode(plain.subarray(96, 96 + nameLength))
  } catch {
    throw broken('the name is not UTF-8')
  }
  return {
    sealSeq: u64(0),
    length: u64(8),
    acc: plain.slice(16, 32),
    parentDirId: plain.slice(32, 48),
    mtimeSec: Number(mtimeSec),
    mtimeNsec: Number(mtime - mtimeSec * NSEC),
    mode: view.getUint32(56),
    rdev: view.getUint32(60),
    name,
    writer: plain.slice(72, 88),
    chunkWrites: u64(88),
    absent: u64(352),
    prevTag: plain.slice(360, 376),
  }
}

/**
 * Seals into `record[offset … offset + 448)`, where the caller has put the nonce. `header` is the
 * object's; only S[0..32) is read. The bytes fit a slot of the header or a ticket file.
 */
export function sealInto(
  record: Uint8Array,
  offset: number,
  seal: Seal,
  place: SealPlace,
  header: Uint8Array,
  key: Xaes,
): void {
  encode(seal)
  setAad(header, place)
  key.seal(record, offset, plain, 0, SEAL_SIZE, aad)
}

/** null where the tag does not verify. Throws where it verifies and the content breaks a rule. */
function openAt(
  record: Uint8Array,
  offset: number,
  place: SealPlace,
  header: Uint8Array,
  key: Xaes,
): Seal | null {
  if (isZero(record, offset, SLOT_SIZE)) return null
  setAad(header, place)
  return key.open(record, offset, plain, 0, SEAL_SIZE, aad) ? decode() : null
}

function checkKind(seal: Seal, kind: Kind): void {
  const chunked = kind < KIND_DIRECTORY
  if (!chunked && (seal.length !== 0 || seal.absent !== 0))
    throw broken('an object without chunks has a length')
  if (kind === KIND_SPECIAL && !isZero(seal.acc, 0, 16))
    throw broken('a special node has an accumulator')
  if (kind !== KIND_SPECIAL && seal.rdev !== 0)
    throw broken('only special nodes have a device number')
}

/**
 * The current seal of a header: the highest sealSeq among the slots that verify. A slot that
 * verifies and breaks a rule makes the object refused; it is never a reason to fall back.
 */
export function currentSeal(header: Uint8Array, kind: Kind, key: Xaes): Seal {
  let current: Seal | null = null
  for (const slot of [0, 1] as const) {
    const seal = openAt(header, slotOffset(slot), slot, header, key)
    if (seal === null) continue
    if (seal.sealSeq % 2 !== slot) throw broken('a seal lies in the wrong slot')
    checkKind(seal, kind)
    if (current === null || seal.sealSeq > current.sealSeq) current = seal
  }
  if (current === null) throw new CofferError('OBJECT_DAMAGED', 'no seal of the object verifies')
  return current
}

export interface Ticket {
  sealSeq: number
  parentDirId: Uint8Array
  name: string
  writer: Uint8Array
}

const ZERO16 = new Uint8Array(16)

export function ticketInto(
  record: Uint8Array,
  ticket: Ticket,
  place: 2 | 3,
  header: Uint8Array,
  key: Xaes,
): void {
  const blank = {
    length: 0,
    acc: ZERO16,
    mtimeSec: 0,
    mtimeNsec: 0,
    mode: 0,
    rdev: 0,
    chunkWrites: 0,
    absent: 0,
    prevTag: ZERO16,
  }
  sealInto(record, 0, { ...blank, ...ticket }, place, header, key)
}

/** null where the bytes are no ticket of that kind for this object, or one with fields it must not have. */
export function openTicket(
  record: Uint8Array,
  place: 2 | 3,
  header: Uint8Array,
  key: Xaes,
): Ticket | null {
  if (record.length !== SLOT_SIZE) return null
  const seal = openAt(record, 0, place, header, key)
  if (seal === null) return null
  const { length, mtimeSec, mtimeNsec, mode, rdev, chunkWrites, absent } = seal
  const unused = [length, mtimeSec, mtimeNsec, mode, rdev, chunkWrites, absent]
  if (
    unused.some((value) => value !== 0) ||
    !isZero(seal.acc, 0, 16) ||
    !isZero(seal.prevTag, 0, 16)
  )
    throw broken('a ticket says more than a name')
  return {
    sealSeq: seal.sealSeq,
    parentDirId: seal.parentDirId,
    name: seal.name,
    writer: seal.writer,
  }
}

/** The smallest sealSeq above `floor` that belongs into the other slot than `current`'s. */
export function nextSealSeq(current: number, floor: number): number {
  const next = Math.max(current, floor) + 1
  return next % 2 === current % 2 ? next + 1 : next
}

const prevInput = new Uint8Array(24 + NAME_MAX)

/** CMAC(K_acc, FF×8 ‖ parentDirId ‖ name): names the place that a rename is leaving. */
export function previousTag(
  parentDirId: Uint8Array,
  name: string,
  acc: { mac(data: Uint8Array, out: Uint8Array, at: number): void },
): Uint8Array {
  prevInput.fill(0xff, 0, 8)
  prevInput.set(parentDirId, 8)
  const bytes = Buffer.from(name, 'utf8')
  prevInput.set(bytes, 24)
  const tag = new Uint8Array(16)
  acc.mac(prevInput.subarray(0, 24 + bytes.length), tag, 0)
  return tag
}
