// Entries of the journal, which lies in this machine's state folder and never in the vault. FORMAT.md
// §6. Pure. Big-endian:
//
//    0 u32 magic   4 u32 CRC-32 of what follows   8 u32 size of the entry, a multiple of 8
//   12 u8 type  13 u8 kind of the object  14 u8 slot of the seal  15 u8 flags
//   16 session, 16 bytes   32 u64 sequence in the session   40 u64 inode number of the blob
//   48 objectId   64 nonce of the seal that it starts from, 24 bytes
//   88 u64 cut   96 u64 erased from   104 u64 erased to
//  112 u32 records   116 u32 straight chunks   120 u32 bytes of path   124 u32 zero
//  128 the new seal, 448 bytes as they go into its slot
//  576 records: u64 index, u32 plaintext bytes, u32 zero, the record, padded to 8
//      straight chunks: u64 index, nonce, tag
//      path of the blob below the vault folder when the entry was made
//
// Plain names do not occur. What is in it is authentic by itself: records and seals carry their tags.

import { Buffer } from 'node:buffer'
import { crc32 } from 'node:zlib'
import { ID_SIZE, NONCE_SIZE, RECORD_OVERHEAD, SLOT_SIZE, type Kind } from './constants.js'

const MAGIC = 0x43464a31
const SEAL_AT = 128
const BODY_AT = SEAL_AT + SLOT_SIZE
const RECORD_HEAD = 16
/** Bytes that note a chunk which went straight to the blob: u64 index, nonce, tag. */
export const STRAIGHT_SIZE = 8 + RECORD_OVERHEAD
const SESSION_SIZE = 16
/** Size of the part of an entry that tells how long it is. */
export const ENTRY_HEAD = 12

/**
 * COMMIT: a new state. LONGER: the blob may be longer than its seal says. GONE: forget the object.
 * BORN: a new blob has got its name, and may not be on the disk; its one record is the blob's header.
 */
export const ENTRY_COMMIT = 1
export const ENTRY_LONGER = 2
export const ENTRY_GONE = 3
export const ENTRY_BORN = 4
export type EntryType = 1 | 2 | 3 | 4

/** Every chunk that went straight to the blob so far had reached the disk. */
const FLAG_SETTLED = 1

/** No chunk was cut off. */
export const NO_CUT = Number.MAX_SAFE_INTEGER

/** Which blob an entry is of. */
export interface EntryBlob {
  kind: Kind
  ino: number
  /** 16 bytes */
  objectId: Uint8Array
  /** nonce of its seal before the entry, 24 bytes */
  from: Uint8Array
  path: string
}

/** What the new state does to the records besides replacing some. */
export interface EntryChange {
  slot: 0 | 1
  /** 448 bytes */
  seal: Uint8Array
  /** all records from this index on are gone before the new ones count, or NO_CUT */
  cut: number
  /** chunks made absent, empty where equal */
  eraseFrom: number
  eraseTo: number
  /** the straight chunks, of this entry and those before, had reached the disk */
  settled: boolean
}

/** A record of an entry; `at` is where it lies in the bytes that the entry is built or was read in. */
export interface EntryRecord {
  index: number
  /** plaintext bytes */
  length: number
  at: number
}

/** A chunk that went to the blob before its entry, with the nonce and tag that it has there. */
export interface StraightChunk {
  index: number
  /** nonce ‖ tag */
  pair: Uint8Array
}

export interface Entry extends EntryBlob, EntryChange {
  type: EntryType
  records: EntryRecord[]
  straight: StraightChunk[]
}

/** Entries being built, one behind the other, in one buffer that grows. */
export class EntryBuffer {
  bytes = Buffer.alloc(64 * 1024)
  /** end of the last finished entry */
  filled = 0
  #at = 0
  #records = 0

  begin(): void {
    this.#at = this.filled + BODY_AT
    this.#records = 0
    this.#ensure(BODY_AT)
    this.bytes.fill(0, this.filled, this.#at)
  }

  /** Room for one record of `length` plaintext bytes; where it begins in `bytes`. */
  record(index: number, length: number): number {
    const size = RECORD_HEAD + pad(length + RECORD_OVERHEAD)
    this.#ensure(size)
    const at = this.#at
    this.bytes.writeBigUInt64BE(BigInt(index), at)
    this.bytes.writeUInt32BE(length, at + 8)
    this.bytes.fill(0, at + 12, at + RECORD_HEAD)
    this.bytes.fill(0, at + size - 8, at + size)
    this.#at += size
    this.#records++
    return at + RECORD_HEAD
  }

  /** Completes the entry; its size in bytes. Not finished, it is as if it had not been begun. */
  finish(
    type: EntryType,
    blob: EntryBlob,
    change: EntryChange | null,
    straight: Uint8Array,
    session: Uint8Array,
    sequence: number,
  ): number {
    const start = this.filled
    const path = Buffer.from(blob.path)
    this.#ensure(straight.length + pad(path.length))
    const { bytes } = this
    bytes.set(straight, this.#at)
    this.#at += straight.length
    bytes.fill(0, this.#at, this.#at + pad(path.length))
    bytes.set(path, this.#at)
    this.#at += pad(path.length)
    const size = this.#at - start
    bytes.writeUInt32BE(MAGIC, start)
    bytes.writeUInt32BE(size, start + 8)
    bytes[start + 12] = type
    bytes[start + 13] = blob.kind
    bytes[start + 14] = change?.slot ?? 0
    bytes[start + 15] = change?.settled === true ? FLAG_SETTLED : 0
    bytes.set(session, start + 16)
    bytes.writeBigUInt64BE(BigInt(sequence), start + 32)
    bytes.writeBigUInt64BE(BigInt(blob.ino), start + 40)
    bytes.set(blob.objectId, start + 48)
    bytes.set(blob.from, start + 64)
    bytes.writeBigUInt64BE(BigInt(change?.cut ?? NO_CUT), start + 88)
    bytes.writeBigUInt64BE(BigInt(change?.eraseFrom ?? 0), start + 96)
    bytes.writeBigUInt64BE(BigInt(change?.eraseTo ?? 0), start + 104)
    bytes.writeUInt32BE(this.#records, start + 112)
    bytes.writeUInt32BE(straight.length / STRAIGHT_SIZE, start + 116)
    bytes.writeUInt32BE(path.length, start + 120)
    if (change !== null) bytes.set(change.seal, start + SEAL_AT)
    bytes.writeUInt32BE(crc32(bytes.subarray(start + 8, start + size)), start + 4)
    this.filled += size
    return size
  }

  /** Plaintext never lies here; what grew large is let go. */
  clear(): void {
    this.filled = 0
    if (this.bytes.length > 16 * 1024 * 1024) this.bytes = Buffer.alloc(64 * 1024)
  }

  #ensure(more: number): void {
    const needed = Math.max(this.#at, this.filled) + more
    if (needed <= this.bytes.length) return
    const grown = Buffer.alloc(Math.max(needed, this.bytes.length * 2))
    grown.set(this.bytes)
    this.bytes = grown
  }
}

const pad = (length: number): number => Math.ceil(length / 8) * 8

/** Size of the entry that begins with these ENTRY_HEAD bytes; 0 where none does. */
export function entrySize(head: Buffer): number {
  if (head.length < ENTRY_HEAD || head.readUInt32BE(0) !== MAGIC) return 0
  const size = head.readUInt32BE(8)
  return size >= BODY_AT && size % 8 === 0 ? size : 0
}

export interface ParsedEntry extends Entry {
  /** 16 bytes */
  session: Uint8Array
  sequence: number
}

/** The entry that fills `bytes`; null where it is torn. */
export function parseEntry(bytes: Buffer): ParsedEntry | null {
  if (entrySize(bytes) !== bytes.length) return null
  if (crc32(bytes.subarray(8)) !== bytes.readUInt32BE(4)) return null
  const u64 = (at: number): number => Number(bytes.readBigUInt64BE(at))
  const copy = (at: number, length: number): Uint8Array =>
    Uint8Array.from(bytes.subarray(at, at + length))
  const records: EntryRecord[] = []
  let at = BODY_AT
  for (let n = bytes.readUInt32BE(112); n > 0; n--) {
    const length = bytes.readUInt32BE(at + 8)
    records.push({ index: u64(at), length, at: at + RECORD_HEAD })
    at += RECORD_HEAD + pad(length + RECORD_OVERHEAD)
  }
  const straight: StraightChunk[] = []
  for (let n = bytes.readUInt32BE(116); n > 0; n--) {
    straight.push({ index: u64(at), pair: copy(at + 8, RECORD_OVERHEAD) })
    at += STRAIGHT_SIZE
  }
  return {
    type: bytes[12] as EntryType,
    kind: bytes[13] as Kind,
    slot: bytes[14] as 0 | 1,
    settled: bytes[15] === FLAG_SETTLED,
    session: copy(16, SESSION_SIZE),
    sequence: u64(32),
    ino: u64(40),
    objectId: copy(48, ID_SIZE),
    from: copy(64, NONCE_SIZE),
    cut: u64(88),
    eraseFrom: u64(96),
    eraseTo: u64(104),
    seal: copy(SEAL_AT, SLOT_SIZE),
    records,
    straight,
    path: bytes.toString('utf8', at, at + bytes.readUInt32BE(120)),
  }
}
