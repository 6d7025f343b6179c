// Open files towards libfuse. The library keeps a handle in 32 bits and takes 0 for none, so they are small
// numbers from 1, used again.

import { CofferError } from '../../errors.js'

export interface OpenFile {
  /** the file system's own */
  fh: number
  nodeid: number
}

export class Handles {
  readonly #files: (OpenFile | null)[] = []
  readonly #free: number[] = []

  add(file: OpenFile): number {
    const index = this.#free.pop() ?? this.#files.length
    this.#files[index] = file
    return index + 1
  }

  get(handle: number): OpenFile {
    const file = this.#files[handle - 1]
    if (file === undefined || file === null) throw new CofferError('EBADF', 'the file is not open')
    return file
  }

  remove(handle: number): void {
    this.#files[handle - 1] = null
    this.#free.push(handle - 1)
  }

  isOpen(nodeid: number): boolean {
    return this.#files.some((file) => file?.nodeid === nodeid)
  }
}
