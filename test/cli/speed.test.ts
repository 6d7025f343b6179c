// coffer speed: both engines, a drive with each, and nothing left of it, even where it was stopped.

import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { needs } from '../needs.js'
import { mountsBelow, says, until, World } from './coffer.js'

t.setTimeout(120_000)

interface Report {
  ciphers: Record<string, Record<string, number>>
  drives: Record<string, Record<string, number>>
  problems: string[]
}

const trialFolder = (world: World): string => {
  const folder = join(world.folder, 'trial')
  mkdirSync(folder)
  return folder
}

t.test('ciphers, and a drive with each engine', (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  const folder = trialFolder(world)
  const { code, out, err } = world.run(['speed', folder, '--json'])
  t.equal(code, 0, err)
  const { ciphers, drives, problems } = JSON.parse(out) as Report
  t.same(problems, [])
  t.same(Object.keys(ciphers), ['openssl', 'portable'])
  t.same(Object.keys(drives), ['openssl', 'portable', 'disk'])
  for (const speeds of [...Object.values(ciphers), ...Object.values(drives)])
    for (const [what, speed] of Object.entries(speeds)) t.ok(speed > 0, what)
  t.same(readdirSync(folder), [])
  t.end()
})

t.test('stopped while a drive is there', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  const folder = trialFolder(world)
  const child = world.start(['speed', folder])
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  t.ok(await until(() => mountsBelow(folder).length > 0, 60_000), 'a drive is there')
  child.kill('SIGINT')
  t.equal(await ended, 30)
  t.same(mountsBelow(folder), [])
  t.same(readdirSync(folder), [])
})

t.test('a folder that is not there', (t) => {
  const world = new World(t)
  says(t, world.run(['speed', join(world.folder, 'nowhere')]), 27, /no drive can be tried in/)
  t.end()
})
