// The script that is played on a disk that goes wrong: every way to change a file or its name, each on
// files of its own.

import type { Player } from './fault-player.js'

/** Chunks of 4096 bytes, and files up to 16 of them checked whole, so that a run is short. */
export const CHUNK_LOG2 = 12
export const STRICT_MAX = 16 * 4096
const C = 2 ** CHUNK_LOG2
const LONG = `/${'n'.repeat(200)}`

/** What is there before, closed and synced. */
export function prepare(p: Player): void {
  const sizes: Record<string, number> = {
    '/over': 5 * C + 100,
    '/longer': 3 * C,
    '/anew': 4 * C,
    '/saved': 2 * C + 9,
    '/moved': C,
    '/cut': 6 * C + 3,
    '/hollow': 10 * C,
    '/gone': C,
    '/large': 50 * C + 7,
    '/linked': 2 * C,
    '/one': C + 1,
    '/other': 2 * C + 2,
    '/rest': 3 * C + 5,
  }
  for (const [path, size] of Object.entries(sizes)) {
    const file = p.create(path)
    p.write(file, 0, size)
    p.fsync(file)
    p.close(file)
  }
}

export function play(p: Player, pass: () => void): void {
  p.step('overwrite', () => {
    const file = p.open('/over')
    p.write(file, C, C)
    p.write(file, 3 * C - 50, 200)
    p.fsync(file)
    p.write(file, 0, 10)
    p.write(file, 2 * C, 2 * C)
    p.close(file)
  })
  p.step('append', () => {
    const file = p.open('/longer')
    p.append(file, 2 * C + 77)
    p.append(file, 33)
    p.close(file)
  })
  p.step('write anew', () => {
    const file = p.open('/anew', true)
    p.write(file, 0, 2 * C + 5)
    p.close(file)
  })
  p.step('create', () => {
    const file = p.create('/new')
    p.write(file, 0, 2 * C + 1)
    p.close(file)
  })
  p.step('create and sync', () => {
    const file = p.create('/new, synced')
    p.write(file, 0, C - 5)
    p.fsync(file)
    p.append(file, 3 * C)
    p.close(file)
  })
  p.step('save', () => {
    const file = p.create('/temporary')
    p.write(file, 0, C + 500)
    p.fsync(file)
    p.close(file)
    if (file !== null) p.rename('/temporary', '/saved')
  })
  p.step('rename', () => {
    p.rename('/moved', '/moved to')
    const moved = p.open('/moved to')
    p.write(moved, 10, 20)
    p.close(moved)
    const file = p.create('/just written')
    p.write(file, 0, 99)
    p.close(file)
    if (file !== null) p.rename('/just written', LONG)
  })
  p.step('cut and grow', () => {
    p.setSize('/cut', 3 * C + 1)
    const file = p.open('/cut')
    p.truncate(file, 5 * C + 5)
    p.fsync(file)
    p.truncate(file, 2 * C)
    p.close(file)
  })
  p.step('punch', () => {
    const file = p.open('/hollow')
    p.punch(file, C, 3 * C)
    p.punch(file, 5 * C + 10, 20)
    p.fsync(file)
    p.punch(file, 6 * C, 2 * C)
    p.close(file)
  })
  p.step('unlink', () => {
    p.unlink('/gone')
  })
  p.step('large', () => {
    const file = p.open('/large')
    p.write(file, 10 * C, 5 * C)
    p.write(file, 30 * C + 5, C)
    p.fsync(file)
    p.write(file, 12 * C, 2 * C)
    p.append(file, 3 * C)
    p.tend(pass)
    p.write(file, 20 * C, C)
    p.append(file, 10)
    p.close(file)
  })
  p.step('directory', () => {
    if (!p.mkdir('/folder')) return
    const file = p.create('/folder/file')
    p.write(file, 0, 100)
    p.fsync(file)
    p.close(file)
    p.renameDirectory('/folder', '/folder 2')
  })
  p.step('link', () => {
    p.link('/linked', '/link')
    const file = p.open('/linked')
    p.write(file, 100, C)
    p.close(file)
  })
  p.step('exchange', () => {
    p.exchange('/one', '/other')
    p.chmod('/one', 0o600)
  })
}
