// The agent's process. Its descriptor 3 is the socket to the command that started it: the order comes
// first, then the keys; the answer goes back. If the command goes away before the drive is usable,
// the drive is taken away again.

import { Socket } from 'node:net'
import { deserialize } from 'node:v8'
import type { VaultBody } from '../format/config-body.js'
import { Agent } from './agent.js'
import { guardMemory } from './process.js'
import { FrameReader, toWire, type ControlReply, type Order } from './protocol.js'

guardMemory()

const parent = new Socket({ fd: 3, readable: true, writable: true })
const frames = new FrameReader()
let agent: Agent | null = null
let started = false
let refused = false
let usable = false

parent.on('data', (chunk: Buffer) => {
  for (const bytes of frames.push(chunk)) {
    if (refused) bytes.fill(0)
    else if (agent === null) begin(JSON.parse(bytes.toString()) as Order)
    else if (!started) void start(agent, bytes)
  }
})
parent.on('error', () => undefined)
parent.on('close', () => {
  if (usable) return
  if (agent === null || !started) process.exit(0)
  void agent.unmount(true)
})

/** What serves begins to load while the command still derives the keys. */
function begin(order: Order): void {
  try {
    agent = new Agent(order)
  } catch (error) {
    refused = true
    void answer({ ok: false, error: toWire(error) }).then(() => process.exit(1))
  }
}

function answer(reply: ControlReply): Promise<void> {
  return new Promise((resolve) =>
    parent.end(`${JSON.stringify(reply)}\n`, () => {
      resolve()
    }),
  )
}

async function start(agent: Agent, bytes: Buffer): Promise<void> {
  started = true
  // its arrays are views of `bytes`
  const body = deserialize(bytes) as VaultBody
  let reply: ControlReply = { ok: true }
  try {
    await agent.start(body)
    usable = true
  } catch (error) {
    reply = { ok: false, error: toWire(error) }
  } finally {
    bytes.fill(0)
  }
  await answer(reply)
  const error = reply.ok ? await agent.told : null
  // nothing that still hangs in a pool thread may keep the keys' process alive
  process.exit(reply.ok && error === null ? 0 : 1)
}
