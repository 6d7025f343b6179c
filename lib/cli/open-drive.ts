// A vault opened in this process, read-only and without a mount: what ls and get work on. Needs
// neither FUSE nor native calls, so any machine with Node gets its files back.

import { chooseEngine } from '../agent/engine.js'
import { INTERRUPTED, isInterrupted } from '../agent/interrupted.js'
import { openDrive, type Drive } from '../agent/open-drive.js'
import { loadVault, unlock } from '../agent/vault.js'
import type { LogEvent } from '../fs/context.js'
import { assertReadable } from '../store/config-file.js'
import { knownDeviceId } from '../store/state.js'
import { readPassword, type PasswordSource } from './read-password.js'
import { warn } from './ui.js'

export async function withDrive<T>(
  args: PasswordSource & { vault: string },
  use: (drive: Drive) => Promise<T> | T,
): Promise<T> {
  const loaded = loadVault(args.vault)
  assertReadable(loaded.vault)
  const { engine } = await chooseEngine()
  const opened = unlock(engine, loaded, await readPassword(args))
  opened.vrk.fill(0)
  for (const warning of opened.warnings) warn(warning)
  if (isInterrupted(loaded.vaultId)) warn(INTERRUPTED)
  const drive = openDrive({
    engine,
    vaultPath: loaded.vault,
    vaultId: loaded.config.vaultId,
    body: opened.body,
    deviceId: knownDeviceId(),
    readOnly: true,
    waits: false,
    log: (event: LogEvent) => {
      if (event.level !== 'info')
        warn(`${event.message}${event.path === undefined ? '' : ` (${event.path})`}`)
    },
  })
  try {
    return await use(drive)
  } finally {
    drive.close()
  }
}
