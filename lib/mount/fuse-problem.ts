// What is missing before a drive can be mounted with the kernel's FUSE, whichever driver speaks to it, in
// words that say what to do. `coffer doctor` and `coffer mount` ask the same.

import { accessSync, closeSync, constants, openSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { CofferError } from '../errors.js'
import { FUSE_DEVICE } from '../native/fuse-device.js'
import { nativeAvailable, nativeProblem } from '../native/libc.js'

/** fuse3's, and that of FUSE 2, by which fuse3 calls it too */
export type Fusermount = 'fusermount3' | 'fusermount'

const INSTALL = 'install it: apt install fuse3 (dnf install fuse3, pacman -S fuse3, apk add fuse3)'

export const isRoot = (): boolean => process.geteuid?.() === 0

/** Null if mounting can be tried; everybody but root needs that program to be there. */
export function fuseProblem(program: Fusermount = 'fusermount3'): CofferError | null {
  if (process.platform !== 'linux') {
    return problem('the FUSE device of the kernel is used on Linux only', 'use coffer get and put')
  }
  if (!nativeAvailable) {
    return problem(`koffi cannot be loaded: ${nativeProblem}`, 'run npm install again')
  }
  if (process.arch === 'arm' || process.arch === 'ia32') {
    return problem('mounting needs a 64-bit system', 'use coffer get and put')
  }
  const device = deviceProblem()
  if (device !== null || isRoot() || fusermount(program) !== null) return device
  return problem(`the program ${program} is not installed`, INSTALL)
}

const CONTAINER = 'start a container with --device /dev/fuse --cap-add SYS_ADMIN'
/** FUSE's device number as stat(2) gives it, 10:229 */
const FUSE_RDEV = (10 << 8) | 229

/** fusermount3 opens the device with the rights of its user, so what we may is what it may. */
function deviceProblem(): CofferError | null {
  try {
    const stats = statSync(FUSE_DEVICE, { throwIfNoEntry: false })
    if (stats === undefined) {
      const hint = `load the module: modprobe fuse; ${CONTAINER}`
      return problem(`${FUSE_DEVICE} does not exist`, hint)
    }
    if (!stats.isCharacterDevice() || stats.rdev !== FUSE_RDEV) {
      const hint = `remove it and make the device: mknod -m 666 ${FUSE_DEVICE} c 10 229; ${CONTAINER}`
      return problem(`${FUSE_DEVICE} is not the device of FUSE`, hint)
    }
    closeSync(openSync(FUSE_DEVICE, 'r+'))
    return null
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EACCES' && !isRoot()) {
      const hint = `let its users open it, as root: chmod 666 ${FUSE_DEVICE}`
      return problem(`you may not open ${FUSE_DEVICE}`, hint)
    }
    return problem(`${FUSE_DEVICE} cannot be opened: ${code ?? String(error)}`, CONTAINER)
  }
}

export const problem = (message: string, hint: string): CofferError =>
  new CofferError('NO_FUSE', message, { hint })

/** Path of the helper that mounts for users other than root; null where it is not installed. */
export function fusermount(program: Fusermount = 'fusermount3'): string | null {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/bin', '/usr/bin']
  for (const folder of folders) {
    if (!folder.startsWith('/')) continue
    const path = join(folder, program)
    if (isProgram(path)) return path
  }
  return null
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
