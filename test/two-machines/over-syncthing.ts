// The week over Syncthing in two network namespaces.

import { playWeek, type Round, type Week } from './week.js'
import { Network } from './network.js'
import { SyncthingClient } from './syncthing.js'
import { twoMachines, type AtEnd } from './world.js'

const FIRST_MS = 60_000

export async function* weekOverSyncthing(
  scratch: string,
  atEnd: AtEnd,
  week: Week,
): AsyncGenerator<Round> {
  const machines = twoMachines(scratch, atEnd, true)
  const network = new Network(String(process.pid))
  network.build(atEnd)
  const [a, b] = machines
  a.create()
  const client = new SyncthingClient(machines, network)
  await client.start(atEnd)
  await client.meet()
  const unsettled = await client.settled(FIRST_MS)
  if (unsettled !== null) throw new Error(`the vault did not get across: ${unsettled}`)
  a.mount()
  b.mount()
  yield* playWeek(machines, client, week)
}
