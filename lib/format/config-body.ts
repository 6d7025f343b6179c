// The sealed part of the config: JSON that holds the seeds and the vault's settings. FORMAT.md §8.
// Members that this version does not know are kept and written back. What equals its default is
// left out. The bytes are authenticated before they come here, but whoever holds the key may still
// have written nonsense, so every member is checked.

import { Buffer } from 'node:buffer'
import { CofferError } from '../errors.js'
import { damagedConfig } from './config-damage.js'
import {
  CHUNK_LOG2_DEFAULT,
  ID_SIZE,
  KEY_ID_SIZE,
  KEY_SIZE,
  SIZE_LIMIT,
  STRICT_MAX_DEFAULT,
  SUITE_XAES_256_GCM,
} from './constants.js'

export type Unknown = Readonly<Record<string, unknown>>

export interface VaultBody {
  v: 1
  chunkLog2: number
  rootDirId: Uint8Array
  rootKeyId: Uint8Array
  /** keyId of the generation that new objects use */
  current: Uint8Array
  /** every generation there ever was, by keyId in hex */
  seeds: Map<string, Uint8Array>
  suites: number[]
  policy: { strictMax: number; integrity: 'auto' | 'full'; unknown: Unknown }
  devices: unknown[]
  label: string
  unknown: Unknown
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

export function encodeBody(body: VaultBody): Uint8Array {
  const { policy } = body
  const json = {
    v: body.v,
    ...(body.chunkLog2 !== CHUNK_LOG2_DEFAULT && { chunkLog2: body.chunkLog2 }),
    rootDirId: hex(body.rootDirId),
    rootKeyId: hex(body.rootKeyId),
    current: hex(body.current),
    seeds: Object.fromEntries([...body.seeds].map(([keyId, seed]) => [keyId, hex(seed)])),
    suites: body.suites,
    policy: {
      strictMax: policy.strictMax,
      ...(policy.integrity !== 'auto' && { integrity: policy.integrity }),
      ...policy.unknown,
    },
    ...(body.devices.length > 0 && { devices: body.devices }),
    ...(body.label !== '' && { label: body.label }),
    ...body.unknown,
  }
  return Buffer.from(JSON.stringify(json))
}

export function decodeBody(bytes: Uint8Array): VaultBody {
  const { v, chunkLog2, rootDirId, rootKeyId, current, seeds, suites, ...rest } = parse(bytes)
  const { policy = {}, devices = [], label = '', ...unknown } = rest
  if (v !== 1) {
    if (typeof v === 'number' && v > 1) throw newer(`body version ${v}`)
    throw wrong('v')
  }
  const { strictMax, integrity = 'auto', ...unknownPolicy } = object(policy, 'policy')
  if (integrity !== 'auto' && integrity !== 'full') throw wrong('policy.integrity')
  if (!Array.isArray(devices)) throw wrong('devices')
  if (typeof label !== 'string') throw wrong('label')
  const body: VaultBody = {
    v,
    chunkLog2: integer(chunkLog2, CHUNK_LOG2_DEFAULT, 12, 20, 'chunkLog2'),
    rootDirId: fromHex(rootDirId, ID_SIZE, 'rootDirId'),
    rootKeyId: fromHex(rootKeyId, KEY_ID_SIZE, 'rootKeyId'),
    current: fromHex(current, KEY_ID_SIZE, 'current'),
    seeds: decodeSeeds(seeds),
    suites: decodeSuites(suites),
    policy: {
      strictMax: integer(strictMax, STRICT_MAX_DEFAULT, 0, SIZE_LIMIT, 'policy.strictMax'),
      integrity,
      unknown: unknownPolicy,
    },
    devices: devices as unknown[],
    label,
    unknown,
  }
  if (!body.seeds.has(hex(body.rootKeyId))) throw wrong('rootKeyId')
  if (!body.seeds.has(hex(body.current))) throw wrong('current')
  return body
}

function parse(bytes: Uint8Array): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch {
    // the parser's own message would quote the text, and there are keys in it
    throw damagedConfig('what is sealed in it is not JSON')
  }
  return object(value, 'the whole')
}

function decodeSeeds(value: unknown): Map<string, Uint8Array> {
  const seeds = new Map<string, Uint8Array>()
  for (const [keyId, seed] of Object.entries(object(value, 'seeds'))) {
    fromHex(keyId, KEY_ID_SIZE, 'the name of a seed')
    seeds.set(keyId, fromHex(seed, KEY_SIZE, 'a seed'))
  }
  return seeds
}

function decodeSuites(value: unknown): number[] {
  if (!Array.isArray(value)) throw wrong('suites')
  const suites = value.map((suite) => integer(suite, undefined, 1, 255, 'suites'))
  if (!suites.includes(SUITE_XAES_256_GCM)) throw newer(`the ciphers ${suites.join(', ')}`)
  return suites
}

function object(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(what)
  return value as Record<string, unknown>
}

function integer(
  value: unknown,
  absent: number | undefined,
  least: number,
  most: number,
  what: string,
): number {
  const number = value === undefined ? absent : value
  if (typeof number !== 'number' || !Number.isInteger(number)) throw wrong(what)
  if (number < least || number > most) throw wrong(what)
  return number
}

function fromHex(value: unknown, length: number, what: string): Uint8Array {
  if (typeof value !== 'string' || value.length !== 2 * length) throw wrong(what)
  if (!/^[0-9a-f]*$/.test(value)) throw wrong(what)
  return Uint8Array.from(Buffer.from(value, 'hex'))
}

function wrong(what: string): CofferError {
  return damagedConfig(`what is sealed in it is not as it should be (${what})`)
}

function newer(what: string): CofferError {
  return new CofferError('NEWER_VERSION', `this vault needs a newer coffer: it has ${what}`)
}
