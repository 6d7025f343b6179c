// What a file system is, in memory and in a few lines: the model that random operations on a drive
// are compared with. Errors are errno names.

import { Buffer } from 'node:buffer'

export interface ModelFile {
  type: 'file'
  content: Buffer
  mode: number
  /** nanoseconds where they are known: set, and not written to since */
  mtime: bigint | null
  linked: boolean
}

export interface ModelLink {
  type: 'symlink'
  target: string
}

export interface ModelDirectory {
  type: 'directory'
  mode: number
  entries: Map<string, ModelNode>
}

export type ModelNode = ModelFile | ModelLink | ModelDirectory

export class Errno extends Error {
  readonly code: string
  constructor(code: string) {
    super(code)
    this.code = code
  }
}

const split = (path: string): [string, string] => {
  const cut = path.lastIndexOf('/')
  return [path.slice(0, cut), path.slice(cut + 1)]
}

export class Model {
  readonly root: ModelDirectory = { type: 'directory', mode: 0o755, entries: new Map() }

  get(path: string): ModelNode {
    let at: ModelNode = this.root
    for (const name of path.split('/').slice(1)) {
      if (at.type !== 'directory') throw new Errno('ENOTDIR')
      const next = at.entries.get(name)
      if (next === undefined) throw new Errno('ENOENT')
      at = next
    }
    return at
  }

  directory(path: string): ModelDirectory {
    const node = path === '' ? this.root : this.get(path)
    if (node.type !== 'directory') throw new Errno('ENOTDIR')
    return node
  }

  file(path: string): ModelFile {
    const node = this.get(path)
    if (node.type === 'directory') throw new Errno('EISDIR')
    if (node.type !== 'file') throw new Errno('EINVAL')
    return node
  }

  #add(path: string, node: ModelNode): void {
    const [parent, name] = split(path)
    const { entries } = this.directory(parent)
    if (entries.has(name)) throw new Errno('EEXIST')
    entries.set(name, node)
  }

  create(path: string, mode: number): ModelFile {
    const content = Buffer.alloc(0)
    const file: ModelFile = { type: 'file', content, mode, mtime: null, linked: true }
    this.#add(path, file)
    return file
  }

  symlink(path: string, target: string): void {
    this.#add(path, { type: 'symlink', target })
  }

  mkdir(path: string, mode: number): void {
    // set-gid is inherited, set-uid and a set-gid of one's own are not for mkdir
    const inherited = this.directory(split(path)[0]).mode & 0o2000
    this.#add(path, { type: 'directory', mode: (mode & 0o1777) | inherited, entries: new Map() })
  }

  unlink(path: string): void {
    const node = this.get(path)
    if (node.type === 'directory') throw new Errno('EISDIR')
    this.#remove(path, node)
  }

  rmdir(path: string): void {
    const node = this.directory(path)
    if (node.entries.size > 0) throw new Errno('ENOTEMPTY')
    this.#remove(path, node)
  }

  #remove(path: string, node: ModelNode): void {
    const [parent, name] = split(path)
    this.directory(parent).entries.delete(name)
    if (node.type === 'file') node.linked = false
  }

  rename(from: string, to: string): void {
    const [oldParent, oldName] = split(from)
    const [parent, name] = split(to)
    const old = this.directory(oldParent).entries
    const { entries } = this.directory(parent)
    const node = old.get(oldName)
    if (node === undefined) throw new Errno('ENOENT')
    const replaced = entries.get(name)
    if (replaced === node) return
    if (replaced !== undefined) {
      if (node.type === 'directory' && replaced.type !== 'directory') throw new Errno('ENOTDIR')
      if (node.type !== 'directory' && replaced.type === 'directory') throw new Errno('EISDIR')
      if (replaced.type === 'directory' && replaced.entries.size > 0) throw new Errno('ENOTEMPTY')
      this.#remove(to, replaced)
    }
    entries.set(name, node)
    old.delete(oldName)
  }

  /** Every path below the root. */
  paths(): Map<string, ModelNode> {
    const found = new Map<string, ModelNode>()
    const walk = (path: string, { entries }: ModelDirectory): void => {
      for (const [name, node] of entries) {
        found.set(`${path}/${name}`, node)
        if (node.type === 'directory') walk(`${path}/${name}`, node)
      }
    }
    walk('', this.root)
    return found
  }
}

export function write(file: ModelFile, offset: number, bytes: Buffer): void {
  const size = Math.max(file.content.length, offset + bytes.length)
  if (size > file.content.length) file.content = resized(file.content, size)
  bytes.copy(file.content, offset)
  file.mtime = null
}

export function truncate(file: ModelFile, size: number): void {
  file.content = resized(file.content, size)
  file.mtime = null
}

export function punch(file: ModelFile, offset: number, length: number): void {
  if (offset >= file.content.length) return
  file.content.fill(0, offset, Math.min(offset + length, file.content.length))
  file.mtime = null
}

const resized = (content: Buffer, size: number): Buffer =>
  Buffer.concat([content, Buffer.alloc(Math.max(0, size - content.length))]).subarray(0, size)
