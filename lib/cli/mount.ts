// coffer mount.

import { CofferError } from '../errors.js'
import { clearStale } from '../agent/stale.js'
import { INTERRUPTED, isInterrupted } from '../agent/interrupted.js'
import { launch, type Starting } from '../agent/launch.js'
import { secondsOf } from './seconds.js'
import { readPassword, type PasswordSource } from './read-password.js'
import { bold, fail, quoted, say, warn } from './ui.js'
import { LOCK_EVENTS, type LockEvent } from '../agent/lock-events.js'
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
  lockOn?: string | undefined
  grace: string
  keepMountpoint: boolean
  logNames: boolean
  config?: string | undefined
  selfTest: Order['selfTest']
}

function lockEvents(text: string | undefined): LockEvent[] {
  if (text === undefined) return []
  return text.split(',').map((word) => {
    const event = LOCK_EVENTS.find((known) => known === word)
    if (event !== undefined) return event
    throw new CofferError('USAGE', `a drive cannot be locked on "${word}"`, {
      hint: `there are ${LOCK_EVENTS.join(', ')}`,
    })
  })
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
  const idleSeconds = args.idle === undefined ? 0 : secondsOf('idle', args.idle, 1)
  const slowSeconds = secondsOf('slow-limit', args.slowLimit, 1)
  const lockOn = lockEvents(args.lockOn)
  const graceSeconds = secondsOf('grace', args.grace)
  for (const line of clearStale()) say(line)
  const configFile = args.config ?? null
  const prepared = await prepareMount({
    ...args,
    driver,
    configFile,
    idleSeconds,
    slowSeconds,
    lockOn,
    graceSeconds,
  })
  const password = await readPassword(args)
  const { order } = prepared
  const starting = await start(order, args.foreground)
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

/** The drive itself is loaded only where this process serves it. */
const start = async (order: Order, here: boolean): Promise<Starting> =>
  here ? (await import('../agent/serve-here.js')).serveHere(order) : launch(order)
