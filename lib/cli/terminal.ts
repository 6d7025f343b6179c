// Reading one line from the terminal without echo. In raw mode the keys that would send signals come
// as characters, so the terminal is put back before anything else happens.

import { Buffer } from 'node:buffer'
import { openSync } from 'node:fs'
import { ReadStream } from 'node:tty'
import { CofferError } from '../errors.js'
import { ask } from './ui.js'

const LINE_MAX = 64 * 1024

/** The terminal of this session, wherever standard input comes from. */
export function openTerminal(): ReadStream | null {
  try {
    return new ReadStream(openSync('/dev/tty', 'r+'))
  } catch {
    return null
  }
}

/**
 * Reads one line from the terminal without echo. In raw mode the keys that would send signals come
 * as characters, so the terminal is put back before anything else happens.
 */
export function readSilently(terminal: ReadStream, prompt: string): Promise<Uint8Array> {
  ask(prompt)
  return new Promise((resolve, reject) => {
    const bytes: number[] = []
    const restore = (): void => {
      terminal.off('data', take)
      terminal.setRawMode(false)
      terminal.pause()
      process.off('SIGTERM', stop)
      process.off('SIGHUP', stop)
      ask('\n')
    }
    const stop = (): void => {
      restore()
      reject(
        new CofferError('NO_PASSWORD', 'stopped while waiting for a password', {
          hint: 'nothing was changed',
        }),
      )
    }
    const take = (chunk: Buffer): void => {
      for (const byte of chunk) {
        if (byte === 10 || byte === 13) {
          restore()
          resolve(Buffer.from(bytes))
          return
        }
        if (byte === 3 || (byte === 4 && bytes.length === 0)) {
          stop()
          return
        }
        if (byte === 21) bytes.length = 0
        else if (byte === 127 || byte === 8) dropLast(bytes)
        else if (bytes.length < LINE_MAX) bytes.push(byte)
      }
    }
    process.once('SIGTERM', stop)
    process.once('SIGHUP', stop)
    terminal.setRawMode(true)
    terminal.on('data', take)
    terminal.resume()
  })
}

/** One character, which may be several bytes of UTF-8. */
function dropLast(bytes: number[]): void {
  while (bytes.length > 0 && ((bytes.pop() ?? 0) & 0xc0) === 0x80);
}
