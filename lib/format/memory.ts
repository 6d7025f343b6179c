// Frames of this machine's memory of a vault, which lies in its state folder and never in the vault.
// Pure. Big-endian:
//
//    0 u32 magic   4 u32 entries   8 u32 metas   12 u32 zero
//   16 nonce(24) ‖ AEAD(K_local, nonce, the entries, the 16 bytes before ‖ u64 position of the frame)
//      metas, 1024 bytes each, as they lie in the vault: their own seals say whether they are whole
//
//   ENTRY, 80 bytes: u8 type, 3 zero, u32 which of the metas, u64 number, id, place, dirId, writer
//
// The position makes what an earlier, longer file has left behind worthless.

import { Buffer } from 'node:buffer'
import type { Xaes } from '../crypto/engine.js'
import { HEADER_SIZE, ID_SIZE, RECORD_OVERHEAD } from './constants.js'

const MAGIC = 0x43464d31
const ENTRY_SIZE = 80
export const FRAME_HEAD = 16

/** META: a meta that was used. LEFT: its directory is not there any more. SEEN: the highest sealSeq of
 * a writer. SIZE: of a file. GONE: a meta whose directory is not there any more. BOOT, as the first:
 * what follows in the frame may be ahead of the vault's disk, and counts in that boot alone until it is
 * SETTLED, which is said of all that lies before a position. CONTENT: whether there was anything in the
 * vault. Others are of a later version, and skipped. */
export const ENTRY_META = 1
export const ENTRY_LEFT = 2
export const ENTRY_SEEN = 3
export const ENTRY_SIZE_OF = 4
export const ENTRY_GONE = 5
export const ENTRY_BOOT = 6
export const ENTRY_SETTLED = 7
export const ENTRY_CONTENT = 8
const HAS_META: ReadonlySet<number> = new Set([ENTRY_META, ENTRY_GONE])

/** 16 bytes as a string of as many characters, so that they can be looked up. */
export type Id = string
export const NO_ID: Id = '\0'.repeat(ID_SIZE)
export const idOf = (bytes: Uint8Array): Id =>
  Buffer.from(bytes.buffer, bytes.byteOffset, ID_SIZE).toString('latin1')

export interface MemoryEntry {
  type: number
  /** sealSeq, or bytes, or position, or 1 for yes */
  number: number
  /** objectId, or which file, or which boot */
  id: Id
  place: Id
  dirId: Id
  writer: Id
  /** of META: 1024 bytes when it is written; where they lie in the frame when it is read */
  meta: Uint8Array | number | null
}

export const NOTHING = { number: 0, place: NO_ID, dirId: NO_ID, writer: NO_ID, meta: null }

export interface FrameShape {
  entries: number
  metas: number
}

/** null where no frame begins with these FRAME_HEAD bytes. */
export function frameShape(head: Buffer): FrameShape | null {
  if (head.length < FRAME_HEAD || head.readUInt32BE(0) !== MAGIC || head.readUInt32BE(12) !== 0)
    return null
  const entries = head.readUInt32BE(4)
  const metas = head.readUInt32BE(8)
  return entries > 0 && metas <= entries ? { entries, metas } : null
}

/** Bytes of a frame without its metas. */
export const sealedSize = ({ entries }: FrameShape): number =>
  FRAME_HEAD + RECORD_OVERHEAD + entries * ENTRY_SIZE
export const frameSize = (shape: FrameShape): number =>
  sealedSize(shape) + shape.metas * HEADER_SIZE

function aad(head: Uint8Array, position: number): Uint8Array {
  const bytes = Buffer.alloc(FRAME_HEAD + 8)
  bytes.set(head.subarray(0, FRAME_HEAD))
  bytes.writeBigUInt64BE(BigInt(position), FRAME_HEAD)
  return bytes
}

/** Where the first meta of a frame at `position` lies is `metaAt(shape, position, 0)`. */
export const metaAt = (shape: FrameShape, position: number, index: number): number =>
  position + sealedSize(shape) + index * HEADER_SIZE

/** A frame that is to lie at `position`. */
export function sealFrame(
  key: Xaes,
  nonce: (into: Uint8Array, offset: number) => void,
  entries: readonly MemoryEntry[],
  position: number,
): Buffer {
  const metas = entries.map(({ meta }) => meta).filter((meta) => meta instanceof Uint8Array)
  const shape = { entries: entries.length, metas: metas.length }
  const frame = Buffer.alloc(frameSize(shape))
  frame.writeUInt32BE(MAGIC, 0)
  frame.writeUInt32BE(shape.entries, 4)
  frame.writeUInt32BE(shape.metas, 8)
  const plain = Buffer.alloc(entries.length * ENTRY_SIZE)
  let at = 0
  let index = 0
  for (const { type, number, id, place, dirId, writer, meta } of entries) {
    plain[at] = type
    if (meta instanceof Uint8Array) plain.writeUInt32BE(index++, at + 4)
    plain.writeBigUInt64BE(BigInt(number), at + 8)
    for (const [i, value] of [id, place, dirId, writer].entries())
      plain.write(value, at + 16 + i * ID_SIZE, 'latin1')
    at += ENTRY_SIZE
  }
  nonce(frame, FRAME_HEAD)
  key.seal(frame, FRAME_HEAD, plain, 0, plain.length, aad(frame, position))
  for (const [i, meta] of metas.entries()) frame.set(meta, metaAt(shape, 0, i))
  return frame
}

/** The entries of a frame, given without its metas; null where it is torn, or another machine's. */
export function openFrame(
  key: Xaes,
  shape: FrameShape,
  frame: Uint8Array,
  position: number,
): MemoryEntry[] | null {
  const length = shape.entries * ENTRY_SIZE
  const plain = Buffer.alloc(length)
  if (!key.open(frame, FRAME_HEAD, plain, 0, length, aad(frame, position))) return null
  const entries: MemoryEntry[] = []
  for (let at = 0; at < length; at += ENTRY_SIZE) {
    const id = (i: number): Id =>
      plain.toString('latin1', at + 16 + i * ID_SIZE, at + 16 + (i + 1) * ID_SIZE)
    const type = plain[at] ?? 0
    const index = plain.readUInt32BE(at + 4)
    entries.push({
      type,
      number: Number(plain.readBigUInt64BE(at + 8)),
      id: id(0),
      place: id(1),
      dirId: id(2),
      writer: id(3),
      meta: HAS_META.has(type) && index < shape.metas ? metaAt(shape, position, index) : null,
    })
  }
  return entries
}
