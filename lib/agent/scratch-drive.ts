// The files of a self-test, as the serving thread has them: in a drive of their own, over a scratch
// vault in the state folder, with keys that are thrown away. So everything between the kernel and a
// disk takes part, and nothing of the vault. The root of the tested drive shows them to the processes
// that test, and to nobody else; where a driver does not know who asks, to whoever knows their names.

import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { CofferError } from '../errors.js'
import { ID_SIZE } from '../format/constants.js'
import type { DriveOptions } from '../fs/open-tree.js'
import { emptyEntry } from '../fs/filesystem.js'
import { HiddenNames } from '../fs/hidden-names.js'
import { ROOT_NODEID } from '../fs/inode.js'
import { scratchBacking, ScratchFolder } from '../store/scratch-folder.js'
import { reason } from '../store/state-folder.js'
import { newBody } from './new-body.js'
import { openDrive, type Drive } from './open-drive.js'
import { isThreadOf } from './process.js'
import type { HiddenFiles } from './protocol.js'
import { contentOf, noRoom } from './self-test.js'

const { O_WRONLY, S_IFREG } = constants

/** Of the vault whose drive is tested, `vaultId` in hex. */
type ScratchOptions = Pick<DriveOptions, 'engine' | 'deviceId' | 'log'> & {
  vaultId: string
  chunkLog2: number
}

export class ScratchDrive {
  /** what is to be served as long as the test runs */
  readonly shown: HiddenNames
  readonly #folder: ScratchFolder
  readonly #drive: Drive

  /** Throws STATE, ALREADY_MOUNTED. */
  constructor(tested: Drive, { files, filled, pids }: HiddenFiles, options: ScratchOptions) {
    const { vaultId, chunkLog2, ...others } = options
    this.#folder = new ScratchFolder(vaultId)
    try {
      this.#drive = openDrive({
        ...others,
        vaultPath: this.#folder.path,
        journalFolder: this.#folder.path,
        backing: scratchBacking(),
        vaultId: randomBytes(ID_SIZE),
        body: { ...newBody(), chunkLog2 },
        readOnly: false,
      })
    } catch (error) {
      this.#folder.remove()
      throw noScratch(error)
    }
    this.shown = new HiddenNames(tested, {
      drive: this.#drive,
      names: new Set(files.map(({ name }) => name)),
      // where it is not known who asks, whoever knows the name
      sees: (tid) => tid === undefined || pids.some((pid) => isThreadOf(tid, pid)),
    })
    try {
      for (const file of files) this.#make(file.name, filled ? contentOf(file) : null)
    } catch (error) {
      this.close()
      throw noScratch(error)
    }
  }

  #make(name: string, content: Uint8Array | null): void {
    const entry = emptyEntry()
    const caller = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0, umask: 0 }
    this.#drive.mknod(ROOT_NODEID, name, S_IFREG | 0o600, 0, caller, entry)
    if (content !== null) {
      const { fh } = this.#drive.open(entry.nodeid, O_WRONLY)
      this.#drive.write(fh, 0, content, 0, content.length, false)
      this.#drive.release(fh)
    }
    this.#drive.forget(entry.nodeid, 1)
  }

  /** Nothing of it is left. */
  close(): void {
    this.shown.end()
    try {
      this.#drive.close()
    } finally {
      this.#folder.remove()
    }
  }
}

const why = (error: unknown): string =>
  error instanceof CofferError ? error.message : reason(error)

const noScratch = (error: unknown): CofferError =>
  noRoom(error) ??
  new CofferError('STATE', `the files of the self-test cannot be made: ${why(error)}`, {
    hint: 'mount with --self-test=off to do without',
    cause: error,
  })
