// The devices of a vault: a list in the sealed body of its config, so that the writer of a seal has a
// name for people. FORMAT.md §8. No right depends on it, so an entry that makes no sense is passed over
// and never a reason to refuse a vault. It is kept, like everything else that is not known here.

import { Buffer } from 'node:buffer'

export interface Device {
  /** deviceId of its seals, hex */
  id: string
  name: string
  /** YYYY-MM-DDThh:mm:ssZ by the device's own clock, when it was noted first; '' where that is not known */
  since: string
}

/** bytes */
export const DEVICE_NAME_MAX = 64
/** No vault has so many people; machines that are made anew for every run must not fill the config. */
export const DEVICES_MAX = 256

const ID = /^[0-9a-f]{32}$/
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/

export const oneLine = (text: string): string =>
  text
    .toWellFormed()
    .normalize('NFC')
    .replace(/[\s\p{Z}]+/gu, ' ')
    .trim()

/** A name as it may be kept and shown, in one line and as a part of file names; '' where nothing is left. */
export function deviceNameOf(text: string): string {
  const clean = oneLine(text)
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}/\ufffd]/gu, '')
    .trim()
  let bytes = 0
  let name = ''
  for (const letter of clean) {
    bytes += Buffer.byteLength(letter)
    if (bytes > DEVICE_NAME_MAX) break
    name += letter
  }
  return name.trim()
}

const idOf = (entry: unknown): string | null => {
  const { id } = (entry ?? {}) as { id?: unknown }
  return typeof id === 'string' && ID.test(id) ? id : null
}

/** What can be read of the list. Names were made by other machines, so they are cleaned again. */
export function knownDevices(devices: readonly unknown[]): Device[] {
  const known = new Map<string, Device>()
  for (const entry of devices) {
    const id = idOf(entry)
    if (id === null || known.has(id)) continue
    const { name, since } = entry as { name?: unknown; since?: unknown }
    if (typeof name !== 'string' || deviceNameOf(name) === '') continue
    const noted = typeof since === 'string' && TIME.test(since) ? since : ''
    known.set(id, { id, name: deviceNameOf(name), since: noted })
  }
  return [...known.values()]
}

/** The list with that device under that name; null where it has it so, or has no room for it. */
export function withDevice(devices: readonly unknown[], device: Device): unknown[] | null {
  const at = devices.findIndex((entry) => idOf(entry) === device.id)
  if (at < 0) return devices.length < DEVICES_MAX ? [...devices, device] : null
  const before = devices[at] as object
  if ('name' in before && before.name === device.name) return null
  return devices.with(at, { ...device, ...before, name: device.name })
}

/**
 * All devices of several lists, the most recent config's first: what two devices wrote apart is
 * brought together, and where both know one, the more recent config is right.
 */
export function mergeDevices([first = [], ...others]: (readonly unknown[])[]): unknown[] {
  const merged = [...first]
  const ids = new Set(first.map(idOf))
  for (const entry of others.flat()) {
    const id = idOf(entry)
    if (id === null || ids.has(id) || merged.length >= DEVICES_MAX) continue
    ids.add(id)
    merged.push(entry)
  }
  return merged
}
