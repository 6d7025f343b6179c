// coffer info: what can be said of a vault without its password. All of it stands in the open in
// vault.coffer; nothing of it is proven before the vault is unlocked.

import { loadVault } from '../agent/vault.js'
import type { Slot } from '../format/slot.js'
import { runningDrives } from '../store/registry.js'
import { configCopies } from '../store/state.js'
import { count, json as printJson, out } from './ui.js'

interface Arguments {
  vault: string
  json: boolean
}

const TYPES: Record<number, string> = {
  1: 'password',
  2: 'password',
  3: 'recovery key',
  4: 'device',
  6: 'security key',
  7: 'password and security key',
}

function describe({ type, kdf }: Slot): string {
  const name = TYPES[type] ?? `unknown (type ${String(type)})`
  if (kdf === null) return type in TYPES ? `${name} (not usable by this version)` : name
  if (kdf.name === 'argon2id') return `${name} (argon2id, ${String(kdf.memoryKiB / 1024)} MiB)`
  return `${name} (scrypt, ${String(2 ** (kdf.logN - 10))} MiB)`
}

export function info({ vault: path, json }: Arguments): Promise<number> {
  const { vault, vaultId, config, bytes } = loadVault(path)
  const mountpoint = runningDrives().find((drive) => drive.vaultId === vaultId)?.mountpoint ?? null
  const copies = configCopies(vaultId, vault).length
  if (json) {
    printJson({
      vault,
      vaultId,
      version: config.version,
      configSeq: Number(config.configSeq),
      configBytes: bytes.length,
      slots: config.slots.map(({ type, kdf }) => ({
        type,
        kdf:
          kdf === null
            ? null
            : kdf.name === 'scrypt'
              ? { name: kdf.name, logN: kdf.logN }
              : { name: kdf.name },
      })),
      mountpoint,
      copies,
    })
    return Promise.resolve(0)
  }
  out(`vault:          ${vault}`)
  out(`id:             ${vaultId}`)
  out(`format:         version ${String(config.version)}`)
  out(`config:         number ${String(config.configSeq)}, ${String(bytes.length)} bytes`)
  for (const slot of config.slots) out(`opens with:     ${describe(slot)}`)
  out(`mounted at:     ${mountpoint ?? 'not mounted here'}`)
  out(`copies kept:    ${count(copies, 'config')} on this machine`)
  return Promise.resolve(0)
}
