// An agent inside the process of the command.

import { Agent } from './agent.js'
import type { Starting } from './launch.js'
import { guardMemory } from './process.js'
import type { Order } from './protocol.js'

export function serveHere(order: Order): Starting {
  guardMemory()
  const agent = new Agent(order)
  let started = false
  return {
    async start(body) {
      started = true
      await agent.start(body)
    },
    cancel() {
      agent.cancel()
    },
    ended: () => (started ? agent.told : Promise.resolve(null)),
  }
}
