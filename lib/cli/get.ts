// coffer get: copies a file or a tree out of a vault, without a mount. Every byte has been verified
// before it is written. What is there already is never overwritten; what cannot be read is left out
// and named, and the rest comes all the same.

import { dirname, resolve } from 'node:path'
import { CofferError } from '../errors.js'
import type { Drive } from '../agent/open-drive.js'
import { Copy } from './copy-out.js'
import { withDrive } from './open-drive.js'
import { Progress } from './progress.js'
import type { PasswordSource } from './read-password.js'
import { isThere } from './restored-file.js'
import { amount, count, duration, json as printJson, say, told } from './ui.js'
import { forget, lookup, names, S_IFDIR, S_IFMT, S_IFREG, walk, type Node } from './vault-path.js'

interface Arguments extends PasswordSource {
  vault: string
  path: string
  dest: string
  json: boolean
}

export async function get(args: Arguments): Promise<number> {
  const dest = resolve(args.dest)
  checkDestination(dest)
  return withDrive(args, async (drive) => {
    const node = walk(drive, args.path)
    const progress = new Progress(total(drive, node), args.json)
    const copy = new Copy(drive, progress, args.json)
    const stop = (): void => {
      copy.stopped = true
    }
    process.once('SIGINT', stop)
    process.once('SIGTERM', stop)
    try {
      await copy.node(node, args.path, dest)
    } catch (error) {
      throw stoppedBy(error, dest)
    } finally {
      process.off('SIGINT', stop)
      process.off('SIGTERM', stop)
      progress.end()
    }
    return summary(copy, progress, dest, args.json)
  })
}

function checkDestination(dest: string): void {
  if (isThere(dest)) {
    throw new CofferError('DESTINATION', `${dest} exists already; nothing was copied`, {
      hint: 'name a file or folder that does not exist yet',
    })
  }
  if (!isThere(dirname(dest))) {
    throw new CofferError('DESTINATION', `there is no folder ${dirname(dest)} to copy into`)
  }
}

function summary(copy: Copy, progress: Progress, dest: string, json: boolean): number {
  const { failures, damaged, skipped, unmarked, stopped } = copy
  const { files, bytes, seconds } = progress
  if (json) printJson({ event: 'end', files, bytes, seconds, failures, skipped, unmarked, stopped })
  else {
    const rate = amount(bytes / Math.max(seconds, 0.001))
    say(
      `${count(files, 'file')}, ${amount(bytes)} in ${duration(seconds)} (${rate}/s) ${files === 1 ? 'is' : 'are'} in ${dest}.`,
    )
    if (unmarked > 0)
      say(
        `The file system there did not take mode and time of ${count(unmarked, 'entry', 'entries')}.`,
      )
    if (skipped > 0)
      say(
        `${count(skipped, 'device, pipe or socket was', 'devices, pipes or sockets were')} left out.`,
      )
  }
  if (stopped) throw new CofferError('INTERRUPTED', `stopped; only a part was copied to ${dest}`)
  if (failures > 0) {
    const what = failures === 1 ? 'one entry' : `${String(failures)} entries`
    const code = damaged > 0 ? 'DAMAGED' : 'EIO'
    throw new CofferError(code, `${what} could not be copied; everything else was`)
  }
  return 0
}

/** Plaintext bytes below a node. Listing opens no file, so this is quick. */
function total(drive: Drive, node: Node): number {
  const type = node.attributes.mode & S_IFMT
  if (type !== S_IFDIR) return type === S_IFREG ? node.attributes.size : 0
  let sum = 0
  try {
    for (const name of names(drive, node.nodeid)) {
      const child = lookup(drive, node.nodeid, name)
      if (child === null) continue
      sum += total(drive, child)
      forget(drive, child)
    }
  } catch {
    // the copy itself will say so
  }
  return sum
}

function stoppedBy(error: unknown, dest: string): CofferError {
  const code = (error as NodeJS.ErrnoException).code === 'VAULT_GONE' ? 'VAULT_GONE' : 'ENOSPC'
  return new CofferError(code, `stopped: ${told(error)}; only a part was copied to ${dest}`, {
    cause: error,
  })
}
