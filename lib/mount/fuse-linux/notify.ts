// Notifications: what the kernel is told without having asked. They wait for locks and pages that a
// pending request may hold, so the thread that answers requests must never write one.

import { Buffer } from 'node:buffer'
import { constants } from 'node:os'
import type { Outdated } from '../../fs/watch.js'
import { FuseDevice } from '../../native/fuse-device.js'
import { addressOf } from '../../native/libc.js'
import { NOTIFY, NOTIFY_INVAL_ENTRY_OUT, NOTIFY_INVAL_INODE_OUT, OUT_HEADER } from './wire.js'

const { ENODEV, EBADF } = constants.errno
const NAME_MAX = 255

export class Notifier {
  readonly #device: FuseDevice
  readonly #bytes = Buffer.from(new ArrayBuffer(NOTIFY_INVAL_ENTRY_OUT.name + NAME_MAX + 1))
  readonly #address = addressOf(this.#bytes)

  constructor(deviceFd: number) {
    this.#device = new FuseDevice(deviceFd)
  }

  /** False when the mount is gone. What the kernel does not know any more is no error. */
  tell(outdated: readonly Outdated[]): boolean {
    for (const one of outdated) {
      const length = one.what === 'entry' ? this.#entry(one) : this.#inode(one)
      const result = this.#device.write(this.#address, length)
      if (result === -ENODEV || result === -EBADF) return false
    }
    return true
  }

  #entry({ parent, name }: { parent: number; name: string }): number {
    const at = NOTIFY_INVAL_ENTRY_OUT
    const nameLength = this.#bytes.write(name, at.name, NAME_MAX, 'utf8')
    this.#bytes[at.name + nameLength] = 0
    this.#u64(at.parent, parent)
    this.#bytes.writeUInt32LE(nameLength, at.namelen)
    this.#bytes.writeUInt32LE(0, at.flags)
    return this.#head(NOTIFY.INVAL_ENTRY, at.name + nameLength + 1)
  }

  #inode({ nodeid, content }: { nodeid: number; content: boolean }): number {
    const at = NOTIFY_INVAL_INODE_OUT
    this.#u64(at.ino, nodeid)
    // a negative offset leaves the pages alone; length 0 is all of them
    this.#bytes.writeBigInt64LE(content ? 0n : -1n, at.off)
    this.#bytes.writeBigInt64LE(0n, at.len)
    return this.#head(NOTIFY.INVAL_INODE, at.size)
  }

  #head(code: number, length: number): number {
    this.#bytes.writeUInt32LE(length, OUT_HEADER.len)
    this.#bytes.writeInt32LE(code, OUT_HEADER.error)
    this.#u64(OUT_HEADER.unique, 0)
    return length
  }

  #u64(at: number, value: number): void {
    this.#bytes.writeUInt32LE(value % 2 ** 32, at)
    this.#bytes.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4)
  }
}
