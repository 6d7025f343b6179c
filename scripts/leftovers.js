// What a test left behind: mounts, processes, files. Every test file runs with a folder of its own
// in its environment (COFFER_TEST_TMP), which is how its processes are told from all others.

import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

// An agent that was told to go may need a moment to be gone.
const GRACE_MS = 3000
const STEP_MS = 50

/** @param {string} escaped a path as /proc/self/mountinfo writes it */
const unescape = (escaped) =>
  escaped.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8)))

/**
 * Mountpoints whose file system type and path please `wanted`.
 * @param {(type: string, mountpoint: string) => boolean} wanted
 */
function mounts(wanted) {
  if (process.platform !== 'linux') return []
  const found = []
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [left, right] = line.split(' - ')
    if (left === undefined || right === undefined) continue
    const mountpoint = unescape(left.split(' ')[4] ?? '')
    if (wanted(right.split(' ')[0] ?? '', mountpoint)) found.push(mountpoint)
  }
  return found
}

/** @param {string} folder */
export const mountsBelow = (folder) =>
  mounts((_, mountpoint) => mountpoint.startsWith(`${folder}/`))

/** Every drive of coffer on the machine. */
export const drives = () => mounts((type) => type === 'fuse.coffer')

/** @param {string} path */
function readOrEmpty(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '' // gone meanwhile, or another user's
  }
}

/**
 * Processes that carry `folder` in their environment or their arguments.
 * @param {string} folder
 * @returns {{ pid: number, command: string }[]}
 */
export function processesOf(folder) {
  if (process.platform !== 'linux') return []
  const found = []
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    if (!Number.isInteger(pid) || pid === process.pid) continue
    const command = readOrEmpty(`/proc/${name}/cmdline`)
    const told = readOrEmpty(`/proc/${name}/environ`).includes(`COFFER_TEST_TMP=${folder}\0`)
    if (told || command.includes(`${folder}/`) || command.includes(`${folder}\0`)) {
      found.push({ pid, command: command.replaceAll('\0', ' ').trim() })
    }
  }
  return found
}

/**
 * Waits a moment for the end of what is about to end, then tells what stayed, clears it away and
 * removes the folder.
 * @param {string} folder the folder of one test file
 * @param {number} [graceMs]
 * @returns {Promise<string[]>} one line for each thing that was left
 */
export async function clearLeftovers(folder, graceMs = GRACE_MS) {
  const deadline = Date.now() + graceMs
  while (
    Date.now() < deadline &&
    (mountsBelow(folder).length > 0 || processesOf(folder).length > 0)
  ) {
    await sleep(STEP_MS)
  }
  const lines = []
  for (const { pid, command } of processesOf(folder)) {
    lines.push(`process ${pid} is still there: ${command}`)
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // ended by itself just now
    }
  }
  for (const mountpoint of mountsBelow(folder).reverse()) {
    lines.push(`still mounted: ${mountpoint}`)
    try {
      execFileSync('umount', ['-l', mountpoint], { stdio: 'ignore' })
    } catch {
      lines.push(`and could not be unmounted: ${mountpoint}`)
    }
  }
  for (const name of readdirSync(folder)) lines.push(`file or folder left: ${join(folder, name)}`)
  // Never through a mount that stayed.
  if (mountsBelow(folder).length === 0) {
    // a locked mountpoint of root's is immutable
    if (process.getuid?.() === 0) spawnSync('chattr', ['-R', '-f', '-i', folder])
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  }
  return lines
}
