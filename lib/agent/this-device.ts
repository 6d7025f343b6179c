// This machine as one of the devices of a vault: the id that its seals bear, and its name for people.

import { CofferError } from '../errors.js'
import { DEVICE_NAME_MAX, deviceNameOf, oneLine, type Device } from '../format/devices.js'
import { keepName, keptName, systemName } from '../store/device-name.js'
import { deviceId } from '../store/state.js'
import { hex } from './config-copy.js'

export interface ThisDevice {
  /** hex */
  id: string
  name: string
}

/** Both are made at first use. Throws STATE. */
export function thisDevice(): ThisDevice {
  const id = hex(deviceId())
  const kept = deviceNameOf(keptName() ?? '')
  if (kept !== '') return { id, name: kept }
  const name = deviceNameOf(systemName()) || 'computer'
  keepName(name)
  return { id, name }
}

/** Vaults learn of it when they are mounted next. */
export function nameThisDevice(text: string): ThisDevice {
  const name = deviceNameOf(text)
  if (name === '' || name !== oneLine(text)) {
    throw new CofferError('USAGE', `"${text}" cannot be the name of a device`, {
      hint: `1 to ${String(DEVICE_NAME_MAX)} bytes, without "/" and without control characters`,
    })
  }
  keepName(name)
  return { id: hex(deviceId()), name }
}

/** As it stands in the list of a vault. */
export const deviceEntry = ({ id, name }: ThisDevice, now: Date): Device => ({
  id,
  name,
  since: `${now.toISOString().slice(0, 19)}Z`,
})
