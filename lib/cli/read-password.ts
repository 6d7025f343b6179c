// Where passwords come from: a file, a command, the terminal without echo, or the first line of
// standard input. Never an argument: other users can read those. One line ending at the end is not
// part of a password; everything else is. The text is composed to NFC (FORMAT.md §8), so that the
// same keys typed on another system give the same password.

import { spawnSync } from 'node:child_process'
import { Buffer } from 'node:buffer'
import { readFileSync, readSync } from 'node:fs'
import type { ReadStream } from 'node:tty'
import { CofferError } from '../errors.js'
import { reason } from '../store/state-folder.js'
import { openTerminal, readSilently } from './terminal.js'
import { say } from './ui.js'
import { describeStrength } from './strength.js'

export interface PasswordSource {
  passfile?: string | undefined
  passcommand?: string | undefined
}

const MAX = 64 * 1024

function text(bytes: Uint8Array, whose: string): string {
  let value: string
  try {
    value = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new CofferError('NO_PASSWORD', `the password ${whose} is not UTF-8 text`)
  }
  if (value === '') throw new CofferError('EMPTY_PASSWORD', `the password ${whose} is empty`)
  return value.normalize('NFC')
}

/** Without one line ending at the end. */
function stripped(bytes: Uint8Array): Uint8Array {
  let end = bytes.length
  if (bytes[end - 1] === 10) end -= bytes[end - 2] === 13 ? 2 : 1
  return bytes.subarray(0, end)
}

function firstLine(bytes: Uint8Array): Uint8Array {
  const at = bytes.indexOf(10)
  return stripped(at < 0 ? bytes : bytes.subarray(0, at + 1))
}

function fromFile(file: string): string {
  let bytes: Buffer
  try {
    bytes = readFileSync(file)
  } catch (error) {
    throw new CofferError(
      'NO_PASSWORD',
      `the password file ${file} cannot be read: ${reason(error)}`,
    )
  }
  if (bytes.length > MAX)
    throw new CofferError('NO_PASSWORD', `the password file ${file} is too large to be one`)
  return text(stripped(bytes), `in ${file}`)
}

function fromCommand(command: string): string {
  const run = spawnSync('/bin/sh', ['-c', command], {
    stdio: ['inherit', 'pipe', 'inherit'],
    maxBuffer: MAX,
  })
  if ((run.error as NodeJS.ErrnoException | undefined)?.code === 'ENOBUFS') {
    throw new CofferError('NO_PASSWORD', 'the password command prints too much for a password')
  }
  if (run.error !== undefined) {
    throw new CofferError('NO_PASSWORD', `the password command cannot be run: ${reason(run.error)}`)
  }
  if (run.status !== 0) {
    const how =
      run.signal === null
        ? `ended with exit code ${String(run.status)}`
        : `was ended by ${run.signal}`
    throw new CofferError('NO_PASSWORD', `the password command ${how}`)
  }
  return text(firstLine(run.stdout), 'that the command printed')
}

/** Reads one line byte by byte, so that what follows stays for the next reader. */
function fromInput(): string {
  const line = Buffer.alloc(MAX)
  let length = 0
  while (length < MAX) {
    let count: number
    try {
      count = readSync(0, line, length, 1, null)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EAGAIN') {
        Atomics.wait(PAUSE, 0, 0, 10)
        continue
      }
      if (code !== 'EOF')
        throw new CofferError('NO_PASSWORD', `the password cannot be read: ${reason(error)}`)
      count = 0
    }
    if (count === 0) {
      if (length > 0) break
      throw new CofferError(
        'NO_PASSWORD',
        'no password was given: there is no terminal and standard input is empty',
        {
          hint: 'use --passfile or --passcommand, or send the password on standard input',
        },
      )
    }
    length += count
    if (line[length - 1] === 10) break
  }
  return text(stripped(line.subarray(0, length)), 'on standard input')
}
const PAUSE = new Int32Array(new SharedArrayBuffer(4))

async function fromTerminal(terminal: ReadStream, prompt: string): Promise<string> {
  return text(await readSilently(terminal, prompt), 'that was typed')
}

/** The password of an existing vault. */
export async function readPassword(source: PasswordSource, prompt = 'Password: '): Promise<string> {
  if (source.passfile !== undefined) return fromFile(source.passfile)
  if (source.passcommand !== undefined) return fromCommand(source.passcommand)
  if (!process.stdin.isTTY) return fromInput()
  const terminal = openTerminal()
  if (terminal === null) return fromInput()
  try {
    return await fromTerminal(terminal, prompt)
  } finally {
    terminal.destroy()
  }
}

/** A new password: typed twice, with an estimate of its strength, where a person types it. */
export async function readNewPassword(
  source: PasswordSource,
  prompt = 'New password: ',
): Promise<string> {
  const typed =
    source.passfile === undefined && source.passcommand === undefined && process.stdin.isTTY
  const terminal = typed ? openTerminal() : null
  if (terminal === null) return readPassword(source)
  try {
    for (;;) {
      const first = await fromTerminal(terminal, prompt)
      say(await describeStrength(first))
      const second = await fromTerminal(terminal, 'The same once more: ')
      if (first === second) return first
      say('These were not the same. Once again:')
    }
  } finally {
    terminal.destroy()
  }
}
