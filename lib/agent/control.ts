// The control socket of an agent: one JSON line in, one JSON line out, then it closes. It lies in the
// private runtime folder, so only its user reaches it.

import { connect, createServer, type Server, type Socket } from 'node:net'
import { CofferError } from '../errors.js'
import { toWire, type ControlReply, type ControlRequest } from './protocol.js'

const LINE_MAX = 64 * 1024

/** The first line that comes; null where the other side closes before. */
function readLine(socket: Socket): Promise<string | null> {
  return new Promise((resolve) => {
    let text = ''
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => {
      text += chunk
      const end = text.indexOf('\n')
      if (end >= 0) resolve(text.slice(0, end))
      else if (text.length > LINE_MAX) socket.destroy()
    })
    socket.on('error', () => {
      resolve(null)
    })
    socket.on('close', () => {
      resolve(null)
    })
  })
}

export function serveControl(
  path: string,
  handle: (request: ControlRequest) => Promise<ControlReply>,
): Promise<Server> {
  const server = createServer((socket) => {
    void readLine(socket).then(async (line) => {
      if (line === null) return
      let reply: ControlReply
      try {
        reply = await handle(JSON.parse(line) as ControlRequest)
      } catch (error) {
        reply = { ok: false, error: toWire(error) }
      }
      socket.end(`${JSON.stringify(reply)}\n`)
    })
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      resolve(server)
    })
  })
}

/** `timeoutMs` 0: as long as it takes. */
export async function askControl(
  path: string,
  request: ControlRequest,
  timeoutMs: number,
): Promise<ControlReply> {
  const socket = connect(path)
  socket.on('connect', () => {
    socket.write(`${JSON.stringify(request)}\n`)
  })
  const timer = timeoutMs === 0 ? null : setTimeout(() => socket.destroy(), timeoutMs)
  const line = await readLine(socket)
  if (timer !== null) clearTimeout(timer)
  socket.destroy()
  if (line === null) throw new CofferError('AGENT', 'the process of this drive does not answer')
  return JSON.parse(line) as ControlReply
}
