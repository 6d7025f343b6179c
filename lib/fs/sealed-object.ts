// An object's header in memory: its keys, and the seal that was last made durable. FORMAT.md §3.

import { Buffer } from 'node:buffer'
import { CofferError } from '../errors.js'
import {
  HEADER_SIZE,
  KEY_SIZE,
  NONCE_SIZE,
  ID_SIZE,
  SLOT_SIZE,
  SUITE_XAES_256_GCM,
  slotOffset,
  type Kind,
} from '../format/constants.js'
import { buildStatic, hasChunks, parseStatic, unwrapFileKey } from '../format/header.js'
import { ObjectKeys } from '../format/keys.js'
import { currentSeal, nextSealSeq, sealInto, ticketInto, type Seal } from '../format/seal.js'
import type { Context } from './context.js'
import { timeOf } from './nonces.js'

export const ZERO16: Uint8Array = new Uint8Array(16)

export type Unsequenced = Omit<Seal, 'sealSeq' | 'writer'>

/** The first seal of an object that is a header alone. */
export function headerSeal(
  { clock }: Context,
  place: { parentDirId: Uint8Array; name: string },
  mode: number,
  acc: Uint8Array,
  rdev: number,
): Unsequenced {
  const { sec: mtimeSec, nsec: mtimeNsec } = timeOf(clock())
  const noChunks = { length: 0, chunkWrites: 0, absent: 0 }
  return { ...place, mtimeSec, mtimeNsec, ...noChunks, mode, acc, rdev, prevTag: ZERO16 }
}

const slotOf = ({ sealSeq }: Seal): 0 | 1 => (sealSeq % 2) as 0 | 1

export interface PreparedSeal {
  seal: Seal
  /** 448 bytes */
  record: Uint8Array
  slot: 0 | 1
  /** where the slot lies in the blob */
  offset: number
}

export class SealedObject {
  readonly kind: Kind
  readonly objectId: Uint8Array
  readonly keyId: Uint8Array
  /** 1024 bytes as they lie in the backing file, or will */
  readonly header: Uint8Array
  readonly keys: ObjectKeys
  /** null until the first commit */
  seal: Seal | null
  readonly #ctx: Context

  private constructor(
    ctx: Context,
    kind: Kind,
    header: Uint8Array,
    keys: ObjectKeys,
    seal: Seal | null,
  ) {
    this.#ctx = ctx
    this.kind = kind
    this.header = header
    this.objectId = header.subarray(16, 32)
    this.keyId = header.subarray(32, 40)
    this.keys = keys
    this.seal = seal
  }

  /** A new object under the current generation. Nothing is written. */
  static create(ctx: Context, kind: Kind): SealedObject {
    const header = new Uint8Array(HEADER_SIZE)
    const objectId = new Uint8Array(ID_SIZE)
    const fk = new Uint8Array(KEY_SIZE)
    const wrapNonce = new Uint8Array(NONCE_SIZE)
    ctx.nonces.random(objectId)
    ctx.nonces.random(fk)
    ctx.nonces.fill(wrapNonce, 0)
    const { keyId, wrap } = ctx.keyring.generation(ctx.body.current)
    const chunkLog2 = hasChunks(kind) ? ctx.body.chunkLog2 : 0
    const suite = SUITE_XAES_256_GCM
    buildStatic(
      header,
      { kind, suite, chunkLog2, objectId, keyId },
      fk,
      wrapNonce,
      wrap,
      ctx.vaultId,
    )
    const keys = new ObjectKeys(ctx.engine, fk, ctx.vaultId, objectId, kind, suite, chunkLog2)
    fk.fill(0)
    return new SealedObject(ctx, kind, header, keys, null)
  }

  /** The object whose blob is `fd`, by its header. */
  static read(ctx: Context, fd: number, kind: Kind): SealedObject {
    const header = new Uint8Array(HEADER_SIZE)
    if (ctx.backing.read(fd, header, 0, HEADER_SIZE, 0) < HEADER_SIZE)
      throw new CofferError('OBJECT_TRUNCATED', 'the blob is shorter than its header')
    return SealedObject.parse(ctx, header, kind)
  }

  /** Checks 2 and 3 of FORMAT.md §5. `header` is kept. */
  static parse(ctx: Context, header: Uint8Array, kind: Kind): SealedObject {
    const block = parseStatic(header, ctx.body.chunkLog2, ctx.body.suites)
    if (block.kind !== kind)
      throw new CofferError('OBJECT_DAMAGED', 'the object is of another kind than its name says')
    const fk = unwrapFileKey(header, ctx.keyring.generation(block.keyId).wrap, ctx.vaultId)
    const keys = new ObjectKeys(
      ctx.engine,
      fk,
      ctx.vaultId,
      block.objectId,
      kind,
      block.suite,
      block.chunkLog2,
    )
    fk.fill(0)
    try {
      return new SealedObject(ctx, kind, header, keys, currentSeal(header, kind, keys.seal))
    } catch (error) {
      keys.wipe()
      throw error
    }
  }

  /** The first seal of a new object, and with it its header: the same state in both slots, since long
   * runs of zeros would make every header look alike. `write` stores the bytes at an offset. */
  begin(
    state: Unsequenced,
    floor: number,
    write: (bytes: Uint8Array, offset: number) => void,
  ): void {
    const first = this.#numbered(state, nextSealSeq(0, floor))
    this.#sealInto(this.header, slotOffset(slotOf(first)), first)
    const second = this.#numbered(state, nextSealSeq(first.sealSeq, floor))
    this.#sealInto(this.header, slotOffset(slotOf(second)), second)
    write(this.header, 0)
    this.seal = second
    this.#ctx.writers.sealed()
  }

  /** A seal for the next state, its sealSeq above `floor`. It counts here when it is accepted. */
  prepare(next: Unsequenced, floor: number): PreparedSeal {
    const seal = this.#numbered(next, nextSealSeq(this.seal?.sealSeq ?? 0, floor))
    const slot = slotOf(seal)
    const record = Buffer.alloc(SLOT_SIZE)
    this.#sealInto(record, 0, seal)
    return { seal, record, slot, offset: slotOffset(slot) }
  }

  /** The seal lies in the blob. */
  accept({ seal, record, offset }: PreparedSeal): void {
    this.header.set(record, offset)
    this.seal = seal
    this.#ctx.writers.sealed()
  }

  #numbered(next: Unsequenced, sealSeq: number): Seal {
    return { ...next, sealSeq, writer: this.#ctx.deviceId }
  }

  #sealInto(record: Uint8Array, offset: number, seal: Seal): void {
    this.#ctx.nonces.fill(record, offset)
    sealInto(record, offset, seal, slotOf(seal), this.header, this.keys.seal)
  }

  /** The 448 bytes of a ticket for another name. */
  ticket(sealSeq: number, parentDirId: Uint8Array, name: string, place: 2 | 3): Uint8Array {
    const record = Buffer.alloc(SLOT_SIZE)
    this.#ctx.nonces.fill(record, 0)
    ticketInto(
      record,
      { sealSeq, parentDirId, name, writer: this.#ctx.deviceId },
      place,
      this.header,
      this.keys.seal,
    )
    return record
  }

  wipe(): void {
    this.keys.wipe()
  }
}

/** Lends the object of a blob that is here to `use`; the keys are gone afterwards. */
export function lendObject<T>(
  ctx: Context,
  dirfd: number,
  file: string,
  kind: Kind,
  use: (object: SealedObject) => T,
): T {
  const fd = ctx.backing.openRead(dirfd, file)
  try {
    const object = SealedObject.read(ctx, fd, kind)
    try {
      return use(object)
    } finally {
      object.wipe()
    }
  } finally {
    ctx.backing.close(fd)
  }
}
