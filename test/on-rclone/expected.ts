// What is known to come to something else on a mount of rclone, and why. Whatever is not here fails the
// script.

import type { Differs } from './rows.js'

interface Expected {
  reason: string
  rows: RegExp
  /** what comes instead; anything where it is left out */
  came?: RegExp
}

export const EXPECTED: readonly Expected[] = [
  {
    reason: 'rclone stores no modes: a file is 0644, a directory 0755',
    rows: /^(opening|directories|links|nodes|modes): /,
    came: /755|644|^\[0,1,64|"x0"|\[true,false\]/,
  },
  {
    reason: 'rclone stores no modes: a file is 0644, a directory 0755',
    rows: /^table, (names: mk(dir|nod)|attributes: (f?chmod|access\(X_OK))/,
    came: /^false$|"EACCES"/,
  },
  {
    reason: 'rclone stores no modes: nothing runs from there',
    rows: /^(content: a program runs|table, opening: .*(execve|running program|being written))/,
  },
  {
    reason: 'rclone keeps one time, that of writing, and sets it as it sees fit',
    rows: /^(touching|replacing: the mtime|table, attributes: (utimensat|futimens))/,
    came: /^\[("(atime|mtime|ctime)",?)*\]$|^false$/,
  },
  {
    reason: 'there are no hard links',
    rows: /./,
    came: /^"(ENOTSUP|EOPNOTSUPP)"$/,
  },
  {
    reason: 'there are no files without a name',
    rows: /O_TMPFILE|file without a name/,
  },
  { reason: 'two names cannot be exchanged', rows: /exchang|EXCHANGE/i, came: /EINVAL/ },
  {
    reason: 'there are no extended attributes',
    rows: /xattr|attribute/,
    came: /ENOTSUP|EOPNOTSUPP|ENODATA/,
  },
  {
    reason: 'what is in a renamed directory cannot be read until it was sent',
    rows: /^(renaming|replacing|directories|touching): .*director/,
    came: /^"EIO"$/,
  },
  {
    reason: 'what is in a renamed directory cannot be read until it was sent',
    rows: /^replacing: (an open file, in a directory|by a handle|the mtime)/,
    came: /^"EIO"$/,
  },
  {
    reason:
      'an open file that was deleted counts a link, and rclone lets nobody change it any more',
    rows: /^(unlinking|replacing): .*open file/,
    came: /,1[,\]]|ENOENT.*close|644/,
  },
  { reason: 'rclone does not know how much room there is', rows: /^sizes: /, came: /^false$/ },
  {
    reason: 'there are no times of a link of its own',
    rows: /^links: times of its own/,
  },
]

export const reasonFor = ({ row, came }: Differs): string | null =>
  EXPECTED.find(({ rows, came: what }) => rows.test(row) && (what?.test(came) ?? true))?.reason ??
  null
