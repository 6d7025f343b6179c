// A device that opens a vault for writing stands in the list of its config, so that others can say who
// has written what. Written once for each device and name, never at each mount, and never a reason for
// a mount to fail.

import type { Engine } from '../crypto/engine.js'
import { withDevice } from '../format/devices.js'
import { deviceEntry, type ThisDevice } from './this-device.js'
import type { OpenedVault } from './vault.js'
import { nextConfig, replaceWith, vaultDevices, type NextConfig } from './vault-changes.js'

export interface Announcement {
  /** every device of the vault, this one too */
  devices: unknown[]
  /** Writes the config, where there is something to write; why it could not be done, or null. */
  write: () => string | null
}

/** To be made while the keys are there, and written when the drive is. */
export function announce(
  engine: Engine,
  opened: OpenedVault,
  self: ThisDevice,
  now: Date,
): Announcement {
  const device = deviceEntry(self, now)
  const known = vaultDevices(engine, opened)
  const devices = withDevice(known, device) ?? known
  // what other configs know is no reason to write: it goes along when there is one
  const news = withDevice(opened.body.devices, device) !== null
  const next = news ? nextConfig(engine, opened, { devices }) : null
  return { devices, write: () => (next === null ? null : written(opened, next)) }
}

function written(opened: OpenedVault, next: NextConfig): string | null {
  try {
    replaceWith(opened, next)
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
