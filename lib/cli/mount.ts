// coffer mount.

import { CofferError } from '../errors.js'
import { clearStale } from '../agent/stale.js'
import { INTERRUPTED, isInterrupted } from '../agent/interrupted.js'
import { launch, serveHere } from '../agent/launch.js'
import { readPassword, type PasswordSource } from './read-password.js'
import { bold, fail, quoted, say, warn } from './ui.js'
import { prepareMount } from '../agent/prepare-mount.js'
import type { Order } from '../agent/protocol.js'
import { DEFAULT_DRIVER, DRIVERS, type Driver } from '../mount/driver.js'

interface Arguments extends PasswordSource {
  vault: string
  mountpoint: string
  foreground: boolean
  readOnly: boolean
  allowOther: boolean
  driver: string
  idle?: string | undefined
  slowLimit: string
  logNames: boolean
  config?: string | undefined
  selfTest: Order['selfTest']
}

const UNITS: Record<string, number> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 }

function secondsOf(option: string, text: string): number {
  const match = /^(\d{1,6})([smhd]?)$/.exec(text)
  const seconds = match === null ? 0 : Number(match[1]) * (UNITS[match[2] ?? ''] ?? 0)
  if (seconds === 0) {
    throw new CofferError('USAGE', `${option} ${text} is not a time`, {
      hint: 'write it as 90s, 15m or 2h',
    })
  }
  return seconds
}

function driverNamed(name: string): Driver {
  const driver = DRIVERS.find((known) => known === name)
  if (driver !== undefined) return driver
  throw new CofferError('USAGE', `there is no driver "${name}"`, {
    hint: `there are ${DRIVERS.join(' and ')}; without --driver it is ${DEFAULT_DRIVER}`,
  })
}

export async function mount(args: Arguments): Promise<number> {
  const driver = driverNamed(args.driver)
  const idleSeconds = args.idle === undefined ? 0 : secondsOf('--idle', args.idle)
  const slowSeconds = secondsOf('--slow-limit', args.slowLimit)
  for (const line of clearStale()) say(line)
  const configFile = args.config ?? null
  const prepared = prepareMount({ ...args, driver, configFile, idleSeconds, slowSeconds })
  const password = await readPassword(args)
  const { order } = prepared
  const starting = args.foreground ? serveHere(order) : launch(order)
  try {
    const unlocked = prepared.unlock(password)
    for (const warning of unlocked.warnings) warn(warning)
    if (order.readOnly && isInterrupted(order.vaultId)) warn(INTERRUPTED)
    const { devices, write } = prepared.announce(unlocked)
    unlocked.vrk.fill(0)
    await starting.start({ ...unlocked.body, devices })
    const problem = write()
    if (problem !== null) warn(`the vault does not know this device by name yet: ${problem}`)
  } catch (error) {
    starting.cancel()
    return fail(error, order.log)
  }
  const mode = order.readOnly ? ', read-only' : ''
  say(`${bold(order.mountpoint)} shows ${order.vault}${mode}.`)
  say(`To lock it: coffer unmount ${quoted(order.mountpoint)}`)
  const error = await starting.ended()
  if (error === null) return 0
  return fail(error, order.log)
}
