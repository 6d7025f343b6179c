// A descriptor that another process hands over through a socket (SCM_RIGHTS, unix(7)). Node can send
// and receive only its own kinds, and aborts on any other.
//
// The structures are those of 64-bit Linux, the same in glibc and musl.

import { addressOf, check, lastErrno, lazy } from './libc.js'
import { systemError } from '../errors.js'

const AF_UNIX = 1
const SOCK_STREAM = 1
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const MSG_CMSG_CLOEXEC = 0x40000000
const EINTR = 4

const c = {
  socketpair: lazy('int socketpair(int domain, int type, int protocol, uintptr_t pair)'),
  recvmsg: lazy('int64_t recvmsg(int fd, uintptr_t message, int flags)'),
}

/** Both ends are close-on-exec; a child gets its end through `stdio` of spawn. */
export function socketpair(): [ours: number, theirs: number] {
  const pair = new Int32Array(2)
  const address = addressOf(new Uint8Array(pair.buffer))
  check(c.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, address), 'socketpair')
  return [pair[0] ?? -1, pair[1] ?? -1]
}

/** Waits for one descriptor. Null if the other side closed without sending any. */
export function receiveDescriptor(socket: number): number | null {
  const data = new Uint8Array(new ArrayBuffer(8))
  const iovec = new BigUint64Array([BigInt(addressOf(data)), 1n])
  const control = new Uint8Array(new ArrayBuffer(64))
  const message = new DataView(new ArrayBuffer(56))
  message.setBigUint64(16, BigInt(addressOf(new Uint8Array(iovec.buffer))), true)
  message.setBigUint64(24, 1n, true)
  message.setBigUint64(32, BigInt(addressOf(control)), true)
  message.setBigUint64(40, BigInt(control.length), true)

  const address = addressOf(new Uint8Array(message.buffer))
  let received: number
  while ((received = c.recvmsg(socket, address, MSG_CMSG_CLOEXEC)) < 0) {
    if (lastErrno() !== EINTR) throw systemError(lastErrno(), 'recvmsg')
  }
  if (received === 0 || message.getBigUint64(40, true) < 20n) return null
  const header = new DataView(control.buffer)
  if (header.getInt32(8, true) !== SOL_SOCKET || header.getInt32(12, true) !== SCM_RIGHTS) {
    return null
  }
  return header.getInt32(16, true)
}
