// Conflict copies: backing names of ours with something that a sync client put in, and the names that
// they are shown under. FORMAT.md §7. Pure.
//
// No client is recognised by its words, which it translates: what is left when a base is taken away
// was put in, and whether it is a base, AES-SIV says. The words serve the shown name alone.

import { Buffer } from 'node:buffer'
import { NAME_MAX } from './constants.js'
import { BASE_LENGTHS, type ObjectExtension } from './name.js'

/** One way to read a backing name. The base may be none: it has to be decoded. */
export interface ConflictForm {
  base: string
  extension: ObjectExtension
  /** what the client put in */
  added: string
}

/** Where a version comes from, as far as its name tells. */
export interface Origin {
  /** device or person */
  by: string | null
  /** YYYY-MM-DD, and HH.MM.SS behind it where the client gives the time */
  date: string | null
}

const HEAD = /^[cl][A-Za-z0-9_-]*/
const REST = /^(.*)(\.cf[dfls])((?:[^A-Za-z0-9].*)?)$/s
const LONGEST_FIRST = [...BASE_LENGTHS].reverse()

/** Every way to read it, the longest base first, since "-" and "_" of what was put in look like one. */
export function conflictForms(backing: string): ConflictForm[] {
  const head = HEAD.exec(backing)?.[0] ?? ''
  const forms: ConflictForm[] = []
  for (const length of head.startsWith('l') ? [43] : LONGEST_FIRST) {
    if (length + 1 > head.length) continue
    const [, before = '', extension, after = ''] = REST.exec(backing.slice(length + 1)) ?? []
    if (extension === undefined || before + after === '') continue
    const base = backing.slice(0, length + 1)
    forms.push({ base, extension: extension as ObjectExtension, added: before + after })
  }
  return forms
}

const DATE =
  /(?<!\d)((?:19|20|21)\d\d)-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])(?:[-_ T](\d\d)[-:.]?(\d\d)(?:[-:.]?(\d\d))?)?(?!\d)/
/** "conflicted copy" and the like, with the little words that join it to a name. */
const PHRASES =
  /['’]s? conflicted copy|conflicted copy(?: (?:from|of))?|case (?:conflict|clash)(?: from)?|selective sync conflict|(?:copy: )?(?:sync-)?conflict(?:ed)?\d*(?: #?\d*)?(?:[ _]on_?)?(?![a-z])|_was_deleted|in konflikt stehende kopie(?: von)?|konflikt(?:kopie)?(?: von)?(?![a-z])|copie en conflit(?: de)?|copia en conflicto(?: de)?|cópia em conflito(?: de)?|copia in conflitto(?: di)?|conflicterende kopie(?: van)?|motstridiga kopia|konfliktkopi(?:a|e)?|конфликтующая копия(?: с компьютера)?|の?競合コピー|的?冲突副本|的?衝突複本|의? ?충돌된? 사본|(?<![a-z])(?:copy|kopie|copie|copia|cópia)(?![a-z])/giu
const COUNTERS = /\(\d{1,3}\)| \d{1,3}$/g
const EDGES = /^[\s._,:#–—-]+|[\s._,:#–—-]+$/gu
const BY_MAX = 64

/** What a drive puts in that brings a version home. FORMAT.md §7. */
const OWN = /^ \(conflict (([0-9a-f]{8})-\d+)\)/

/** What was put in, read for people. `deviceOf`: the name of the device whose id begins so, where it is known. */
export function originOf(
  added: string,
  deviceOf: (prefix: string) => string | null = () => null,
): Origin {
  const [, version, writer = ''] = OWN.exec(added) ?? []
  if (version !== undefined) return { by: deviceOf(writer) ?? version, date: null }
  const text = added.normalize('NFC')
  const [found, ...parts] = DATE.exec(text) ?? []
  const by = visible(found === undefined ? text : text.replace(found, ' '))
    .replace(COUNTERS, ' ')
    .replace(PHRASES, ' ')
    .replace(/[()[\]]/g, ' ')
    .replace(/\s+/gu, ' ')
    .replace(EDGES, '')
  return {
    by: by === '' || /^\d+$/.test(by) ? null : cut(by, BY_MAX),
    date: found === undefined ? null : dateOf(parts),
  }
}

/** No colons: other systems have none in names. */
function dateOf(parts: readonly (string | undefined)[]): string {
  const [day, time] = [parts.slice(0, 3), parts.slice(3).filter((part) => part !== undefined)]
  return day.join('-') + (time.length > 0 ? ` ${time.join('.')}` : '')
}

/** Without what has no place in a name, or would hide what is there. */
const visible = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}/]/gu, '')

/** As much of it as has at most that many bytes. */
function cut(text: string, max: number): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= max) return bytes.toString()
  let end = Math.max(0, max)
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--
  return bytes.toString('utf8', 0, end).trimEnd()
}

const EXTENSION_MAX = 32

/** "report (conflict, Anna's Mac, 2026-11-23).pdf", within the length of a name; `number` tells two apart. */
export function conflictName(name: string, { by, date }: Origin, number = 1): string {
  const dot = name.lastIndexOf('.')
  const short = dot > 0 && Buffer.byteLength(name.slice(dot)) <= EXTENSION_MAX
  const end = short ? dot : name.length
  const known = [by === null ? '' : cut(visible(by), BY_MAX), date ?? '']
  if (number > 1) known.push(String(number))
  const what = ['conflict', ...known.filter((text) => text !== '')].join(', ')
  const suffix = ` (${what})${name.slice(end)}`
  return cut(name.slice(0, end), NAME_MAX - Buffer.byteLength(suffix)) + suffix
}

/** Could `conflictName` have made it? */
export const isConflictShaped = (name: string): boolean => name.includes(' (conflict')

const SHOWN = /^(.+) \(conflict((?:, .+?)?)\)((?:\.[^.]*)?)$/s
const SHOWN_DATE = /^\d{4}-\d\d-\d\d(?: \d\d\.\d\d(?:\.\d\d)?)?$/

/** What a name says that `conflictName` may have made, and the name `of` which it is a version; otherwise null. */
export function readConflictName(name: string): (Origin & { of: string }) | null {
  const [, before, what = '', after = ''] = SHOWN.exec(name) ?? []
  if (before === undefined) return null
  const parts = what.split(', ').slice(1)
  if (/^\d+$/.test(parts.at(-1) ?? '')) parts.pop()
  const date = SHOWN_DATE.test(parts.at(-1) ?? '') ? (parts.pop() ?? null) : null
  return { of: before + after, by: parts.length === 0 ? null : parts.join(', '), date }
}
