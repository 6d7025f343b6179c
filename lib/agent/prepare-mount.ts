// Everything that can be found out before a drive is started, so that it is told by the command in
// the foreground: is that a vault, is it open already, can FUSE be used, is the mountpoint fit.

import { CofferError } from '../errors.js'
import type { Driver } from '../mount/driver.js'
import { driverProblem } from '../mount/driver-problem.js'
import { assertReadable, isReadOnly } from '../store/config-file.js'
import { usableFolder } from '../store/folder.js'
import { logPath } from '../store/log-file.js'
import { runningDrives } from '../store/registry.js'
import { runtimeFolder, stateFolder } from '../store/state-folder.js'
import { announce, type Announcement } from './announce.js'
import { checkMountpoint } from './mountpoint.js'
import { chooseEngine } from './engine.js'
import type { LockEvent } from './lock-events.js'
import type { Order } from './protocol.js'
import { quoted } from './shell-word.js'
import { thisDevice } from './this-device.js'
import { loadVault, unlock, type OpenedVault } from './vault.js'
import { vaultDevices } from './vault-changes.js'

export interface MountRequest {
  vault: string
  mountpoint: string
  /** a copy of the config to use in place of the vault's */
  configFile: string | null
  driver: Driver
  readOnly: boolean
  allowOther: boolean
  /** 0: never */
  idleSeconds: number
  slowSeconds: number
  logNames: boolean
  keepMountpoint: boolean
  lockOn: LockEvent[]
  graceSeconds: number
  selfTest: Order['selfTest']
}

export interface Prepared {
  order: Order
  unlock(password: string): OpenedVault
  /** The devices of the vault, and what is to be written of this one when the drive is there. */
  announce(opened: OpenedVault): Announcement
}

export async function prepareMount(request: MountRequest): Promise<Prepared> {
  const loaded = loadVault(request.vault, request.configFile)
  const problem = driverProblem(request.driver)
  if (problem !== null) throw problem
  for (const folder of [stateFolder(), runtimeFolder()]) usableFolder(folder)
  const { vault, vaultId } = loaded
  checkNotRunning(vault, vaultId)
  const mountpoint = checkMountpoint(request.mountpoint, vault)
  assertReadable(vault)
  if (!request.readOnly && isReadOnly(vault)) {
    throw new CofferError('VAULT_READ_ONLY', `the vault folder ${vault} is read-only`, {
      hint: 'mount it with --read-only',
    })
  }
  const device = thisDevice()
  const { engine } = await chooseEngine()
  const { driver, readOnly, allowOther, idleSeconds, slowSeconds, logNames, selfTest } = request
  const { keepMountpoint, lockOn, graceSeconds } = request
  return {
    order: {
      vaultId,
      vault,
      mountpoint,
      driver,
      deviceId: device.id,
      deviceName: device.name,
      readOnly,
      allowOther,
      idleSeconds,
      slowSeconds,
      logNames,
      keepMountpoint,
      lockOn,
      graceSeconds,
      log: logPath(vaultId),
      selfTest,
    },
    unlock: (password) => unlock(engine, loaded, password),
    // a copy that stands in for the config is not to be put over it
    announce: (opened) =>
      readOnly || request.configFile !== null
        ? { devices: vaultDevices(engine, opened), write: () => null }
        : announce(engine, opened, device, new Date()),
  }
}

function checkNotRunning(vault: string, vaultId: string): void {
  const drive = runningDrives().find((running) => running.vaultId === vaultId)
  if (drive === undefined) return
  const what = drive.vault === vault ? 'this vault is' : `a copy of this vault, ${drive.vault}, is`
  throw new CofferError('ALREADY_MOUNTED', `${what} mounted already, at ${drive.mountpoint}`, {
    hint: `use it there, or lock it first: coffer unmount ${quoted(drive.mountpoint)}`,
  })
}
