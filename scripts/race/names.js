// Does one thing with many names in a folder, and prints the seconds that it took as JSON, a figure for
// each part of ten. A process of its own, as any program that uses a drive.
//
// node names.js create FOLDER COUNT BYTES | stat FOLDER COUNT PREFIX | list FOLDER | remove FOLDER COUNT

import { closeSync, lstatSync, openSync, readdirSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const [, , what, folder, count, more] = process.argv
const content = Buffer.alloc(what === 'create' ? Number(more) : 0, 'content ')

const ACTS = {
  create(path) {
    const fd = openSync(path, 'wx')
    if (content.length > 0) writeSync(fd, content)
    closeSync(fd)
  },
  stat(path) {
    const there = lstatSync(path, { throwIfNoEntry: false }) !== undefined
    if (there !== (more === 'name')) throw new Error(`${path}: it is ${there ? '' : 'not '}there`)
  },
  remove: unlinkSync,
}

const prefix = what === 'stat' ? more : 'name'
const paths = Array.from({ length: Number(count ?? 0) }, (_, i) => join(folder, `${prefix} ${i}`))
const parts = []
const begin = process.hrtime.bigint()
const since = (start) => Number(process.hrtime.bigint() - start) / 1e9
if (what === 'list') readdirSync(folder)
else {
  const act = ACTS[what]
  const part = Math.ceil(paths.length / 10)
  for (let at = 0; at < paths.length; at += part) {
    const start = process.hrtime.bigint()
    for (const path of paths.slice(at, at + part)) act(path)
    parts.push(since(start))
  }
}
console.log(JSON.stringify({ seconds: since(begin), parts }))
