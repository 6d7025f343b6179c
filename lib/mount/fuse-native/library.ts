// The package fuse-native 2.2.6: libfuse 2.9 by paths, with JavaScript called on the main thread. Loaded when
// it is first asked for, with the libfuse that it brings: it would take the system's, if there is one.
// native-notes/fuse-native.md says what it cannot do.
//
// Three of its members are overridden, which is why its version is exact: the option list (it knows
// neither big_writes nor use_ino), and the two readers of attributes (it writes beyond the buffer).

import type { Buffer } from 'node:buffer'
import { createRequire } from 'node:module'
import { BugError } from '../../errors.js'
import { loadLibrary } from '../../native/memory.js'
import type { Operations } from './operations.js'
import type { Reply } from './parts.js'

/** Memory of the library's C struct for a request; see request-struct.ts. */
export type NativeRequest = Buffer

type Handler = (request: NativeRequest, opcode: number, ...words: unknown[]) => void
type Done = (error: Error | null) => void
/** Answers the kernel with an errno or a length, and gives the buffer back. */
type Signal = (result: number, buffer?: ArrayBufferLike) => void

type Operation = (...words: unknown[]) => void

interface Library extends NativeMount {
  readonly ops: Record<'getxattr' | 'listxattr', Operation>
  _fuseOptions(): string
  _makeHandlerArray(): Handler[]
}

interface LibraryClass {
  new (mountpoint: string, operations: object, options: { timeout: false }): Library
  unmount(mountpoint: string, done: Done): void
}

const LIBFUSE = 'fuse-native/prebuilds/linux-x64/libfuse.so'

let library: LibraryClass | null = null
let whyNot = ''

function load(): LibraryClass | null {
  if (library !== null || whyNot !== '') return library
  try {
    if (!loadLibrary(createRequire(import.meta.url).resolve(LIBFUSE)))
      throw new Error(`${LIBFUSE} cannot be loaded`)
    library = createRequire(import.meta.url)('fuse-native') as LibraryClass
    // its own way is `fusermount -uz` by a shell, which waits for nothing; ours has done it by then
    library.unmount = (_mountpoint, done) => {
      done(null)
    }
  } catch (error) {
    const [line = ''] = (error instanceof Error ? error.message : String(error)).split('\n')
    whyNot = line
  }
  return library
}

/** Why the package cannot be loaded; empty where it can. */
export function libraryProblem(): string {
  load()
  return whyNot
}

/** A mount of the library's, whose operations also hear for which request they are called. */
export interface NativeMount {
  /** its struct fuse_thread_t */
  readonly _thread: Buffer
  mount(done: Done): void
  /** To be called when the kernel has let go: the library keeps the process alive no longer. */
  unmount(done: Done): void
}

/** `operations` are called with what the library gives them, then the reply. */
export function nativeMount(
  mountpoint: string,
  options: string,
  operations: Record<keyof Operations, Operation>,
  onRequest: (request: NativeRequest) => void,
): NativeMount {
  const Base = load()
  if (Base === null) throw new BugError('the library is used though it cannot be loaded')

  class Mount extends Base {
    override _fuseOptions(): string {
      return `-o${options}`
    }

    override _makeHandlerArray(): Handler[] {
      return super._makeHandlerArray().map((handler) => (request, opcode, ...words) => {
        onRequest(request)
        handler(request, opcode, ...words)
      })
    }

    _op_getxattr(signal: Signal, path: string, name: string, room: Buffer): void {
      this.ops.getxattr(path, name, room, answer(signal, room))
    }

    _op_listxattr(signal: Signal, path: string, room: Buffer): void {
      this.ops.listxattr(path, room, answer(signal, room))
    }
  }
  return new Mount(mountpoint, operations, { timeout: false })
}

const answer =
  (signal: Signal, room: Buffer): Reply =>
  (result) => {
    signal(result, room.buffer)
  }
