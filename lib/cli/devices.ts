// coffer devices: who opens a vault for writing. The list is sealed in the config, so it takes the
// password to read it.

import { chooseEngine } from '../agent/engine.js'
import { thisDevice } from '../agent/this-device.js'
import { loadVault, unlock, wipe } from '../agent/vault.js'
import { vaultDevices } from '../agent/vault-changes.js'
import { knownDevices } from '../format/devices.js'
import { readPassword, type PasswordSource } from './read-password.js'
import { json as printJson, out, say, shown, warn } from './ui.js'

interface Arguments extends PasswordSource {
  vault: string
  json: boolean
}

export async function devices(args: Arguments): Promise<number> {
  const loaded = loadVault(args.vault)
  const { engine } = await chooseEngine()
  const opened = unlock(engine, loaded, await readPassword(args))
  for (const warning of opened.warnings) warn(warning)
  const known = knownDevices(vaultDevices(engine, opened))
  wipe(opened)
  const own = thisDevice().id
  const list = known.map((device) => ({ ...device, this: device.id === own }))
  if (args.json) {
    printJson(list)
    return 0
  }
  if (list.length === 0) say('No device has opened this vault for writing yet.')
  for (const { id, name, since, this: here } of list) {
    const date = since === '' ? 'not known ' : since.slice(0, 10)
    out(`${date}  ${id}  ${shown(name)}${here ? ' (this one)' : ''}`)
  }
  return 0
}
