// What somebody who holds the keys could write: seals with any fields, right or wrong, for tests of
// what must be refused though its tag verifies. Bytes in, bytes out.

import type { OracleObject } from './object.js'
import { cat, seal, text, u16, u32, u64, u8, zeros } from './primitives.js'

export interface ForgedSeal {
  sealSeq: bigint
  length: bigint
  acc: Buffer
  parentDirId: Buffer
  mtime: bigint
  mode: number
  rdev: number
  flags: number
  nameLength: number
  reserved: number
  writer: Buffer
  chunkWrites: bigint
  /** the 256 bytes of the field */
  name: Buffer
  absent: bigint
  prevTag: Buffer
  end: Buffer
}

/** The fields of an object's current seal, to be changed. */
export function fieldsOf({ current }: OracleObject): ForgedSeal {
  const name = text(current.name)
  return {
    ...current,
    length: BigInt(current.length),
    absent: BigInt(current.absent),
    flags: 0,
    nameLength: name.length,
    reserved: 0,
    name: cat(name, zeros(256 - name.length)),
    end: zeros(32),
  }
}

export function sealBytes(f: ForgedSeal): Buffer {
  const bytes = cat(
    cat(u64(f.sealSeq), u64(f.length), f.acc, f.parentDirId),
    cat(u64(BigInt.asUintN(64, f.mtime)), u32(f.mode), u32(f.rdev), u32(f.flags)),
    cat(u16(f.nameLength), u16(f.reserved), f.writer, u64(f.chunkWrites)),
    cat(f.name, u64(f.absent), f.prevTag, f.end),
  )
  if (bytes.length !== 408) throw new Error('a seal has 408 bytes')
  return bytes
}

/** A slot of the header (place 0 or 1) or a ticket (2 or 3). */
export function forge(object: OracleObject, fields: ForgedSeal, place: number): Buffer {
  const nonce = Buffer.alloc(24, Number(fields.sealSeq % 251n) + place)
  const aad = cat(object.header.subarray(0, 32), u8(place))
  return cat(nonce, seal(object.seal, nonce, sealBytes(fields), aad))
}

/** The whole blob with a forged seal in the slot that its sealSeq belongs to. */
export function withSeal(blob: Buffer, object: OracleObject, fields: ForgedSeal, slot: number) {
  const copy = Buffer.from(blob)
  forge(object, fields, slot).copy(copy, 128 + 448 * slot)
  return copy
}
