// One vault on two machines: two copies of its folder, each with a drive, a state folder and a device of
// its own, and a client between them that copies as rsync does, when it is told to.

import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { Drive, scratch } from '../posix/drive.js'

export interface TwoSides {
  here: Drive
  there: Drive
  /** Makes the folder here as the folder there is. Words are options of rsync. */
  sync: (...words: string[]) => void
}

export function twoSides(t: Test): TwoSides {
  const home = scratch(t, 'live')
  const sides = ['here', 'there'].map((side) => join(home, side))
  for (const side of sides) mkdirSync(side)
  const [hereHome = '', thereHome = ''] = sides
  const here = new Drive(t, hereHome)
  cpSync(here.vault, join(thereHome, 'vault'), { recursive: true })
  const there = new Drive(t, thereHome, join(thereHome, 'vault'), true)
  here.mount()
  there.mount()
  return {
    here,
    there,
    sync(...words) {
      const { status, stderr } = spawnSync(
        'rsync',
        ['-a', '--delete', '--modify-window=-1', ...words, `${there.vault}/`, `${here.vault}/`],
        { encoding: 'utf8' },
      )
      if (status !== 0) throw new Error(`rsync: ${stderr}`)
    },
  }
}

/** Waits for what must come about; how long it took, in milliseconds. */
export async function until(what: string, holds: () => boolean, limitMs = 20_000): Promise<number> {
  const begin = Date.now()
  while (!holds()) {
    if (Date.now() - begin > limitMs) throw new Error(`it did not come about: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return Date.now() - begin
}
