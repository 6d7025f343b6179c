// The journal of a drive that begins: what the last one left is finished first.

import { BugError } from '../errors.js'
import { JournalFile } from '../store/journal-file.js'
import { Journal } from './journal.js'
import { replay } from './replay.js'
import { sweep } from './sweep.js'
import type { Tree } from './tree.js'

export function openJournal(tree: Tree, folder: string | undefined): Journal {
  if (folder === undefined) throw new BugError('a drive that writes needs a journal')
  const { backing, layout, clock, random, log } = tree.ctx
  let file = new JournalFile(backing, folder)
  const interrupted = file.inUse
  try {
    const unused = replay(tree, file)
    const count = unused.replaced + unused.removed
    if (count > 0) {
      const kept = file.setAside(
        `journal-kept-${new Date(clock()).toISOString().replaceAll(':', '')}`,
      )
      file.close()
      const what = count === 1 ? 'one file' : `${String(count)} files`
      const message = `interrupted changes to ${what} are kept in ${folder}/${kept}; no command reads that yet`
      log({ level: unused.replaced > 0 ? 'warn' : 'info', event: 'journal-kept', message })
      file = new JournalFile(backing, folder)
    }
    if (interrupted) sweep(tree)
    file.begin()
    return new Journal(file, backing, layout, clock, random)
  } catch (error) {
    file.close()
    throw error
  }
}
