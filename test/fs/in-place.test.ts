// An engine that is harmed by a rename of a directory with something unsent in it: here one that cannot
// read what lies below a renamed directory, as a mount of rclone until it has sent it.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { CofferError } from '../../lib/errors.js'
import { numberedByName } from '../../lib/store/backing-by-name.js'
import { openBacking, type Backing } from '../../lib/store/backing.js'
import { needs } from '../needs.js'
import { TestVault } from './session.js'

/** `denied`: what is to fail once. */
function engine(denied: { rmdir: boolean }): Backing {
  const inner = openBacking()
  return numberedByName({
    ...inner,
    rename: (fromDir, from, toDir, to) => {
      if (from.endsWith('.cfd') || to.endsWith('.cfd'))
        throw new CofferError('EIO', `a directory with unsent files was renamed: ${from} to ${to}`)
      inner.rename(fromDir, from, toDir, to)
    },
    rmdir: (dirfd, name) => {
      if (denied.rmdir) {
        denied.rmdir = false
        throw new CofferError('ENOTEMPTY', 'planted')
      }
      inner.rmdir(dirfd, name)
    },
  })
}

t.test('directories are made and removed under their own names', async (t) => {
  if (!needs(t, 'linux')) return
  const vault = new TestVault()
  t.teardown(() => {
    vault.remove()
  })
  const denied = { rmdir: false }
  const session = vault.open({ backing: engine(denied) })
  session.mkdir('/d')
  session.mkdir('/d/below')
  session.write('/d/below/f', 'content')
  t.throws(
    () => {
      session.rmdir('/d/below')
    },
    { code: 'ENOTEMPTY' },
  )
  t.equal(session.read('/d/below/f').toString(), 'content')
  session.unlink('/d/below/f')
  session.rmdir('/d/below')
  t.same([...session.list('/d').keys()], [])

  session.mkdir('/d/kept')
  denied.rmdir = true
  t.throws(
    () => {
      session.rmdir('/d/kept')
    },
    { code: 'ENOTEMPTY' },
  )
  session.write('/d/kept/f', 'it can be used all the same')
  t.equal(session.read('/d/kept/f').toString(), 'it can be used all the same')
  session.close()
  const paths = readdirSync(join(vault.folder, 'data'), { recursive: true }).map(String)
  t.notOk(paths.some((path) => path.includes('~$')))
})

interface Held {
  /** it opens nothing */
  held: boolean
  /** what it says instead */
  code: 'EIO' | 'ENOENT'
}

function holding(state: Held): Backing {
  const inner = openBacking()
  const assertGiven = (): void => {
    if (state.held) throw new CofferError(state.code, 'planted')
  }
  return numberedByName({
    ...inner,
    openRead: (dirfd, name) => {
      assertGiven()
      return inner.openRead(dirfd, name)
    },
    openWrite: (dirfd, name) => {
      assertGiven()
      return inner.openWrite(dirfd, name)
    },
    rename: (fromDir, from, toDir, to) => {
      inner.rename(fromDir, from, toDir, to)
      if (from.endsWith('.cfd')) state.held = true
    },
  })
}

t.test(
  'a renamed directory is there at once, what is closed in it when the engine gives it',
  async (t) => {
    if (!needs(t, 'linux')) return
    const vault = new TestVault()
    t.teardown(() => {
      vault.remove()
    })
    const state: Held = { held: false, code: 'EIO' }
    const session = vault.open({ backing: holding(state) })
    session.mkdir('/d')
    session.write('/d/f', 'content')
    session.write('/d/open', 'what was there')
    const open = session.open('/d/open')
    open.write(0, Buffer.from('content'))
    session.rename('/d', '/e')
    t.ok(state.held)
    t.same([...session.list('/e').keys()].sort(), ['f', 'open'])
    t.throws(() => session.read('/e/f'), { code: 'WAITS_FOR_ENGINE' })
    open.write(7, Buffer.from(' that goes on'))
    open.sync()
    state.code = 'ENOENT'
    open.write(20, Buffer.from(', and ends'))
    open.close()
    const { damaged } = session.drive.counters
    t.same(damaged, [], 'which is no damage')
    state.held = false
    t.equal(session.read('/e/f').toString(), 'content')
    session.close()
    const again = vault.open()
    t.equal(again.read('/e/f').toString(), 'content')
    t.equal(again.read('/e/open').toString(), 'content that goes on, and ends')
    again.close()
  },
)
