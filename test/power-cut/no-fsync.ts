// Loaded before a program (`node --import`), it makes a drive whose fsync does nothing and says that
// it did: the proof has to find that out. `no-fsync.js?fdatasync` leaves out that call alone.

import fs from 'node:fs'
import { createRequire, syncBuiltinESMExports } from 'node:module'

type Native = (...args: unknown[]) => number
interface Library {
  func(prototype: string): Native
}

const only = new URL(import.meta.url).search.slice(1)
const left = only === '' ? ['fsync', 'fdatasync', 'syncfs', 'sync_file_range'] : [only]

const koffi = createRequire(import.meta.url)('koffi') as { load(path: string | null): Library }
const load = koffi.load.bind(koffi)
koffi.load = (path) => {
  const library = load(path)
  return {
    func: (prototype) =>
      left.some((name) => prototype.includes(` ${name}(`)) ? () => 0 : library.func(prototype),
  }
}
if (left.includes('fsync')) fs.fsyncSync = () => undefined
if (left.includes('fdatasync')) fs.fdatasyncSync = () => undefined
syncBuiltinESMExports()
