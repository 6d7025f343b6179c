// What can be said of a folder: its file system, its free space, whether files can be made in it.

import { closeSync, openSync, rmSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { CofferError } from '../errors.js'
import { temporaryName } from './durable.js'
import { CIFS, FUSE, NFS, SMB2 } from './magic.js'
import { privateFolder, reason, unusable } from './state-folder.js'

/** statfs(2) magic numbers of file systems that people keep cloud folders on */
const FILE_SYSTEMS: Record<number, string> = {
  0xef53: 'ext4',
  0x9123683e: 'btrfs',
  0x58465342: 'xfs',
  0x2fc12fc1: 'zfs',
  0xf2f52010: 'f2fs',
  0x01021994: 'tmpfs',
  0x794c7630: 'overlayfs',
  [NFS]: 'nfs',
  [CIFS]: 'cifs',
  [SMB2]: 'smb2',
  [FUSE]: 'FUSE',
  0x4d44: 'FAT',
  0x2011bab0: 'exFAT',
  0x5346544e: 'NTFS',
}

export interface FolderFacts {
  fileSystem: string
  /** bytes */
  free: number
}

export function describeFolder(folder: string): FolderFacts {
  if (!statSync(folder).isDirectory()) throw new CofferError('ENOTDIR', 'it is not a folder')
  const { type, bavail, bsize } = statfsSync(folder)
  const known = process.platform === 'linux' ? FILE_SYSTEMS[type] : 'a file system'
  return { fileSystem: known ?? `file system 0x${type.toString(16)}`, free: bavail * bsize }
}

/** Throws where no file can be made in the folder. */
export function tryWriting(folder: string): void {
  const file = join(folder, temporaryName())
  closeSync(openSync(file, 'wx', 0o600))
  rmSync(file)
}

/** A private folder, made where it is missing, in which files can be made; otherwise STATE. */
export function usableFolder(folder: string): void {
  privateFolder(folder)
  try {
    tryWriting(folder)
  } catch (error) {
    throw unusable(folder, reason(error))
  }
}
