// Keys below the generation seeds. FORMAT.md §2. Pure.

import { Buffer } from 'node:buffer'
import { CofferError } from '../errors.js'
import type { Cmac, Engine, Siv, Xaes } from '../crypto/engine.js'
import {
  ID_SIZE,
  KEY_SIZE,
  LABEL_LOCAL_STATE,
  LABEL_NAME,
  LABEL_OBJECT,
  LABEL_ROOT_XATTR,
  LABEL_WRAP,
  type Kind,
} from './constants.js'

/** What one seed yields: the key of names and the key that wraps file keys. */
export interface Generation {
  readonly keyId: Uint8Array
  readonly name: Siv
  readonly wrap: Xaes
}

/** Every generation a vault ever had, by keyId; derived on first use. */
export class Keyring {
  readonly #generations = new Map<string, Generation>()
  readonly #engine: Engine
  readonly #vaultId: Uint8Array
  readonly #seeds: ReadonlyMap<string, Uint8Array>
  #rootXattr: Xaes | null = null

  constructor(engine: Engine, vaultId: Uint8Array, seeds: ReadonlyMap<string, Uint8Array>) {
    this.#engine = engine
    this.#vaultId = vaultId
    this.#seeds = seeds
  }

  /** Throws OBJECT_DAMAGED where no seed of this vault has that id. */
  generation(keyId: Uint8Array): Generation {
    const id = Buffer.from(keyId).toString('hex')
    let generation = this.#generations.get(id)
    if (generation === undefined) {
      const seed = this.#seed(id)
      const derive = (label: Uint8Array, length: number): Uint8Array =>
        this.#engine.hkdf(seed, this.#vaultId, label, length)
      const nameKey = derive(LABEL_NAME, 64)
      const wrapKey = derive(LABEL_WRAP, 32)
      generation = {
        keyId: Uint8Array.from(keyId),
        name: this.#engine.siv(nameKey),
        wrap: this.#engine.xaes(wrapKey),
      }
      nameKey.fill(0)
      wrapKey.fill(0)
      this.#generations.set(id, generation)
    }
    return generation
  }

  #seed(id: string): Uint8Array {
    const seed = this.#seeds.get(id)
    if (seed === undefined) {
      throw new CofferError('OBJECT_DAMAGED', `the key ${id} is not one of this vault's keys`)
    }
    return seed
  }

  /** K_xattr of the root directory, which has no object of its own. */
  rootXattr(rootKeyId: Uint8Array): Xaes {
    if (this.#rootXattr === null) {
      const seed = this.#seed(Buffer.from(rootKeyId).toString('hex'))
      const key = this.#engine.hkdf(seed, this.#vaultId, LABEL_ROOT_XATTR, KEY_SIZE)
      this.#rootXattr = this.#engine.xaes(key)
      key.fill(0)
    }
    return this.#rootXattr
  }

  /** K_local of a device. The caller wipes it. */
  localState(rootKeyId: Uint8Array, deviceId: Uint8Array): Xaes {
    const seed = this.#seed(Buffer.from(rootKeyId).toString('hex'))
    const key = this.#engine.hkdf(seed, deviceId, LABEL_LOCAL_STATE, KEY_SIZE)
    const xaes = this.#engine.xaes(key)
    key.fill(0)
    return xaes
  }

  wipe(): void {
    this.#rootXattr?.wipe()
    this.#rootXattr = null
    for (const { name, wrap } of this.#generations.values()) {
      name.wipe()
      wrap.wipe()
    }
    this.#generations.clear()
    for (const seed of this.#seeds.values()) seed.fill(0)
  }
}

// the salt and the info of an object's keys
const salt = new Uint8Array(2 * ID_SIZE)
const info = new Uint8Array(LABEL_OBJECT.length + 3)
info.set(LABEL_OBJECT)

/** The keys of one object. All but the seal's are set up when first asked for. */
export class ObjectKeys {
  readonly seal: Xaes
  readonly #engine: Engine
  readonly #okm: Uint8Array
  #content: Xaes | null = null
  #acc: Cmac | null = null
  #xattr: Xaes | null = null

  /** salt: vaultId ‖ objectId; info: label ‖ kind ‖ suite ‖ chunkLog2 */
  constructor(
    engine: Engine,
    fk: Uint8Array,
    vaultId: Uint8Array,
    objectId: Uint8Array,
    kind: Kind,
    suite: number,
    chunkLog2: number,
  ) {
    this.#engine = engine
    salt.set(vaultId)
    salt.set(objectId, ID_SIZE)
    info[LABEL_OBJECT.length] = kind
    info[LABEL_OBJECT.length + 1] = suite
    info[LABEL_OBJECT.length + 2] = chunkLog2
    this.#okm = engine.hkdf(fk, salt, info, 128)
    this.seal = engine.xaes(this.#okm.subarray(32, 64))
  }

  get content(): Xaes {
    return (this.#content ??= this.#engine.xaes(this.#okm.subarray(0, 32)))
  }

  get acc(): Cmac {
    return (this.#acc ??= this.#engine.cmac(this.#okm.subarray(64, 96)))
  }

  get xattr(): Xaes {
    return (this.#xattr ??= this.#engine.xaes(this.#okm.subarray(96, 128)))
  }

  wipe(): void {
    this.seal.wipe()
    this.#content?.wipe()
    this.#acc?.wipe()
    this.#xattr?.wipe()
    this.#okm.fill(0)
  }
}
