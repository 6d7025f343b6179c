// coffer status.

import { askStatus } from '../agent/running.js'
import type { DriveStatus, WritersStatus } from '../agent/protocol.js'
import { clearStale } from '../agent/stale.js'
import { runningDrives, type RunningDrive } from '../store/registry.js'
import { notCarried } from './not-carried.js'
import { amount, bold, count, duration, json as printJson, out, say, shown } from './ui.js'

interface Arguments {
  json: boolean
}

export async function status({ json }: Arguments): Promise<number> {
  for (const line of clearStale()) say(line)
  const drives = runningDrives()
  const states = await Promise.all(
    drives.map((drive) =>
      askStatus(drive).catch((error: unknown) =>
        error instanceof Error ? error.message : String(error),
      ),
    ),
  )
  if (json) {
    printJson(
      drives.map((drive, i) => {
        const state = states[i]
        const { vault, vaultId, mountpoint, pid, since, log } = drive
        const base = { vault, vaultId, mountpoint, pid, since, log }
        return typeof state === 'string'
          ? { ...base, problem: state }
          : { ...base, problem: null, ...state }
      }),
    )
    return 0
  }
  if (drives.length === 0) say('No drive is mounted.')
  drives.forEach((drive, i) => {
    if (i > 0) out('')
    show(drive, states[i] ?? 'no answer')
  })
  return 0
}

function show(drive: RunningDrive, state: DriveStatus | string): void {
  const age = (Date.now() - Date.parse(drive.since)) / 1000
  out(bold(shown(drive.mountpoint)))
  out(`  vault:     ${shown(drive.vault)}`)
  out(`  since:     ${drive.since} (${duration(age)})`)
  out(`  process:   ${String(drive.pid)}`)
  if (typeof state === 'string') {
    out(`  warning:   ${shown(state)}`)
  } else {
    out(`  read:      ${amount(state.bytesRead)}`)
    out(`  written:   ${amount(state.bytesWritten)}`)
    out(
      `  encrypted: ${count(state.filesStored, 'file')}, ${amount(state.bytesStored)} since the mount`,
    )
    out(`  open:      ${state.openFiles === null ? 'not known' : count(state.openFiles, 'file')}`)
    out(`  engine:    ${state.engine}${state.readOnly ? ', read-only' : ''}`)
    const { idleSeconds, lockOn } = state
    const idle = idleSeconds > 0 ? [`${count(idleSeconds, 'second')} without use`] : []
    const at = [...lockOn.events, ...idle]
    if (at.length > 0) out(`  locked at: ${at.join(', ')}`)
    showWriters(state.writers)
    if (state.notCarried.length > 0) out(`  not sent:  ${notCarried(state.notCarried)}`)
    for (const warning of state.warnings) out(`  warning:   ${shown(warning)}`)
  }
  out(`  log:       ${shown(drive.log)}`)
}

/** The last of whom something came, and what this device has stored itself. */
function showWriters({ own, others }: WritersStatus): void {
  if (own !== null) out(`  stored:    last at ${own}`)
  for (const { id, name, last, files } of others) {
    const who = name ?? `a device that was not known at the mount (${id.slice(0, 8)})`
    const came =
      files === 0 ? 'none seen since the mount' : `${count(files, 'file')} since the mount`
    out(`  from:      ${shown(who)}, ${came}, last at ${last}`)
  }
}
