// The process of the self-test: one job in, one answer out. It ends with its channel.

import { toWire, type TesterJob, type TesterReply } from './protocol.js'
import { selfTest } from './self-test.js'

process.once('message', ({ mountpoint, files, readOnly }: TesterJob) => {
  let reply: TesterReply
  try {
    reply = { ok: true, bytes: selfTest(mountpoint, files, readOnly) }
  } catch (error) {
    reply = { ok: false, error: toWire(error) }
  }
  process.send?.(reply)
})
