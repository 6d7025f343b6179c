// Starts an agent as a process of its own that outlives the command. It is started before the password
// has been turned into keys, so that its start-up costs no time; the keys follow through a socket pair,
// never through arguments, environment or a file.

import { spawn } from 'node:child_process'
import { Buffer } from 'node:buffer'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { serialize } from 'node:v8'
import { CofferError } from '../errors.js'
import type { VaultBody } from '../format/config-body.js'
import { closeFd } from '../native/files.js'
import { openLog } from '../store/log-file.js'
import { frame, fromWire, type ControlReply, type Order } from './protocol.js'

export interface Starting {
  /** Hands over the keys. Resolves when the drive is usable. */
  start(body: VaultBody): Promise<void>
  /** There will be no keys; whatever was started ends. */
  cancel(): void
  /** For an agent inside this process: when its drive has ended, and what was not stored. */
  ended(): Promise<CofferError | null>
}

const AGENT = fileURLToPath(new URL('./main.js', import.meta.url))

export function launch(order: Order): Starting {
  const log = openLog(order.log)
  // the mountpoint is there for whoever looks with ps
  const child = spawn(process.execPath, [AGENT, order.mountpoint], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', log, log, 'pipe'],
  })
  closeFd(log)
  const socket = child.stdio[3] as Socket
  const gone = new Promise<ControlReply>((resolve) => {
    child.on('error', (error) => {
      resolve(failed(`the drive's process cannot be started: ${error.message}`))
    })
    child.on('close', (code, signal) => {
      const how = signal ?? `exit code ${String(code)}`
      resolve(failed(`the drive's process ended before the drive was usable (${how})`))
    })
  })
  const answered = new Promise<ControlReply>((resolve) => {
    let text = ''
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => {
      text += chunk
      if (text.endsWith('\n')) resolve(JSON.parse(text) as ControlReply)
    })
    // what matters of a broken connection is told by `gone`
    socket.on('error', () => undefined)
  })
  socket.write(frame(Buffer.from(JSON.stringify(order))))
  return {
    async start(body) {
      const secret = serialize(body)
      const framed = frame(secret)
      secret.fill(0)
      socket.write(framed, () => framed.fill(0))
      const reply = await Promise.race([answered, gone])
      child.unref()
      socket.destroy()
      if (!reply.ok) throw fromWire(reply.error)
    },
    cancel() {
      socket.destroy()
      child.unref()
    },
    ended: () => Promise.resolve(null),
  }
}

const failed = (message: string): ControlReply => ({
  ok: false,
  error: { code: 'AGENT', message, hint: '' },
})
