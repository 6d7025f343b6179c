// File descriptors as plain numbers: pipes, close, non-blocking mode. Node's own close warns, in a
// worker thread, about descriptors that it did not open itself. All of them are close-on-exec.

import { addressOf, check, lazy } from './libc.js'

const O_NONBLOCK = 0o4000
const O_CLOEXEC = 0o2000000
const F_DUPFD_CLOEXEC = 1030
const F_SETFD = 2
const F_GETFL = 3
const F_SETFL = 4
const FD_CLOEXEC = 1

const pipe2 = lazy('int pipe2(uintptr_t fds, int flags)')
const closeFd = lazy('int close(int fd)')
// variadic in C; on Linux one int travels the same way in both
const fcntl = lazy('int fcntl(int fd, int command, int argument)')

export interface Pipe {
  reading: number
  writing: number
}

export function pipe(): Pipe {
  const pair = new Int32Array(2)
  check(pipe2(addressOf(new Uint8Array(pair.buffer)), O_CLOEXEC), 'pipe2')
  return { reading: pair[0] ?? -1, writing: pair[1] ?? -1 }
}

export function close(fd: number): void {
  check(closeFd(fd), 'close')
}

/** For a descriptor that came from elsewhere. */
export function makeOwn(fd: number): void {
  closeOnExec(fd)
  const flags = check(fcntl(fd, F_GETFL, 0), 'fcntl')
  check(fcntl(fd, F_SETFL, flags | O_NONBLOCK), 'fcntl')
}

/** A program that is started later does not inherit it. */
export function closeOnExec(fd: number): void {
  check(fcntl(fd, F_SETFD, FD_CLOEXEC), 'fcntl')
}

/** A program that is started by somebody else than Node inherits it. */
export function keepOnExec(fd: number): void {
  check(fcntl(fd, F_SETFD, 0), 'fcntl')
}

/** Another descriptor of the same thing, which stays when the first is closed. */
export const duplicate = (fd: number): number => check(fcntl(fd, F_DUPFD_CLOEXEC, 0), 'fcntl')
