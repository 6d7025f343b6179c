// Something that keeps files on the disk of a rig, and is asked after a cut what is left of them: a
// vault; or the disk's own file system, by which the proof itself is tried.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Found, Verdict } from './judge.js'
import { throughMount } from './look.js'
import { program, type Rig } from './rig.js'

export type { Verdict }
export type Judge = (found: ReadonlyMap<string, Found>) => Verdict

export interface Look {
  /** in the way of its users, where there is a quicker one */
  mounted: boolean
  /** also whether one can go on working, and what e2fsck says */
  thorough: boolean
}

export interface Subject {
  /** where programs see the files */
  readonly drive: string
  /** folders of the disk that hold them */
  readonly onDisk: string[]
  create(): void
  mount(): void
  /** Everything is on the disk when it returns. */
  unmount(): void
  /** What happens first after a cut. */
  recover(): void
  inspect(judge: Judge, look: Look): Verdict
}

export class PlainDisk implements Subject {
  readonly drive: string
  readonly onDisk: string[]

  constructor(rig: Rig) {
    this.drive = join(rig.disk, 'plain')
    this.onDisk = [this.drive]
  }

  create(): void {
    mkdirSync(this.drive)
  }

  mount(): void {
    // it is there
  }

  unmount(): void {
    program('sync', '-f', this.drive)
  }

  recover(): void {
    // ext4 has done it
  }

  inspect(judge: Judge): Verdict {
    return judge(throughMount(this.drive))
  }
}
