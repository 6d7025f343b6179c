// A cloud that plays with the tickets of hard links. FORMAT.md §7.

import { cpSync, linkSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { needs } from '../needs.js'
import { attack, AttackedVault } from './attacked.js'

if (!needs(t, 'linux')) process.exit(0)

const ticketsIn = (directory: string): string[] =>
  readdirSync(directory)
    .filter((name) => name.endsWith('.cfr'))
    .map((name) => join(directory, name))

/** /a, at rest, is /second too; the ticket of that. */
function linked(vault: AttackedVault): string {
  const session = vault.open()
  session.link('/a', '/second')
  session.close()
  vault.truth.set('/second', vault.truth.get('/a')!)
  return ticketsIn(vault.backing(''))[0]!
}

attack(t, 'both names open, whatever is written by one', (vault, t) => {
  linked(vault)
  const session = vault.open()
  const file = session.open('/second')
  file.write(0, Buffer.from('changed'))
  file.close()
  session.rename('/a', '/third')
  const now = session.read('/second')
  session.close()
  t.equal(now.toString('latin1', 0, 7), 'changed')
  vault.truth.delete('/a')
  vault.truth.set('/second', now).set('/third', now)
  return {}
})
attack(t, 'the ticket is taken away', (vault) => {
  rmSync(linked(vault))
  return { refused: ['/second'] }
})
attack(t, 'the ticket is laid beside another name', (vault) => {
  const ticket = linked(vault)
  const other = vault.blob('/b')
  cpSync(ticket, `${other.slice(0, -4)}${ticket.slice(-21)}`)
  rmSync(other)
  linkSync(vault.blob('/a'), other)
  return { refused: ['/b'] }
})
attack(t, 'a rename ticket of before is replayed', (vault) => {
  const session = vault.open()
  session.rename('/a', '/r')
  const [stale] = ticketsIn(vault.backing(''))
  const kept = readFileSync(stale!)
  session.link('/r', '/second')
  session.setattr('/second', { size: 10 })
  session.close()
  const content = vault.truth.get('/a')!.subarray(0, 10)
  vault.truth.delete('/a')
  vault.truth.set('/r', content).set('/second', content)
  writeFileSync(stale!, kept)
  return { refused: ['/r'] }
})
attack(
  t,
  'a link ticket is replayed after its name has gone: what it was, or nothing',
  (vault, t) => {
    const ticket = linked(vault)
    const kept = readFileSync(ticket)
    const blob = vault.blob('/second')
    const session = vault.open()
    session.unlink('/second')
    t.same(ticketsIn(vault.backing('')), [])
    session.close()
    writeFileSync(ticket, kept)
    cpSync(vault.blob('/a'), blob)
    return {}
  },
)
