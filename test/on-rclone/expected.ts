// What is known to come to something else on a mount of rclone, or of SSHFS, and why. Whatever is not
// here fails the script.

import type { Differs } from './rows.js'

interface Expected {
  reason: string
  rows: RegExp
  /** what comes instead */
  came: RegExp
}

const NO_MODES = 'rclone stores no modes: a file is 0644, a directory 0755'
const NOT_SENT = 'what is in a renamed directory cannot be read until it was sent'

/** Of every engine without inodes. */
const ON_BOTH: readonly Expected[] = [
  {
    reason: 'there are no extended attributes',
    rows: /^(touching: an attribute|table, attributes: f?(set|get|list|remove)xattr\()/,
    came: /^"(ENOTSUP|EOPNOTSUPP)"$/,
  },
  {
    reason: 'there are no files without a name',
    rows: /O_TMPFILE|a file without a name/,
    came: /^"EOPNOTSUPP"$/,
  },
  {
    reason: 'there are no hard links',
    rows: /^(nodes: a fifo renamed, linked|touching: .*(name|a link)|table, names: link(at)?\()/,
    came: /^"(ENOTSUP|EOPNOTSUPP)"$/,
  },
  {
    reason: 'two names cannot be exchanged',
    rows: /^(touching: an exchange|table, names: renameat2\(RENAME_EXCHANGE\))/,
    came: /^"EINVAL"$/,
  },
]

const ON_RCLONE: readonly Expected[] = [
  {
    reason: NO_MODES,
    rows: /^(opening: .*(mode|umask|set-uid)|directories: (mkdir 0|set-gid)|links: chmod|nodes: a |modes: )/,
    came: /755|644|^\[0,1,64|"x0"|\[true,false\]/,
  },
  {
    reason: NO_MODES,
    rows: /^table, (names: mk(dir|nod)|attributes: (f?chmod|access\(X_OK))/,
    came: /^false$|^"EACCES"$/,
  },
  {
    reason: 'rclone stores no modes: nothing runs from there',
    rows: /^(content: a program runs|table, opening: .*(execve|running program))/,
    came: /^(null|false|\d+|"EACCES")$/,
  },
  {
    reason: 'rclone keeps one time, that of writing, and sets it as it sees fit',
    rows: /^(touching: |table, attributes: (utimensat|futimens)\()/,
    came: /^\[("(atime|mtime|ctime)",?)*\]$|^false$/,
  },
  {
    reason: 'rclone keeps no times of a link of its own',
    rows: /^links: times of its own/,
    came: /^\["-\d+","-\d+",true\]$/,
  },
  {
    reason: NOT_SENT,
    rows: /^(directories|renaming|replacing): .*director|^touching: rename of a directory|^replacing: a long directory/,
    came: /^"EIO"$/,
  },
  {
    reason:
      'an open file that was deleted counts a link, and rclone lets nobody change it any more',
    rows: /^(unlinking|replacing): .*open file/,
    came: /,1[,\]]|ENOENT: .* close$|^\["644"/,
  },
  {
    reason: 'rclone does not know how much room there is',
    rows: /^sizes: (of the whole|df )/,
    came: /^false$/,
  },
]

const ON_SSHFS: readonly Expected[] = [
  {
    reason: 'times are whole seconds, and a change of a file alone has none',
    rows: /^(touching: |modes: (moves ctime|of a directory: the same)|table, attributes: (utimensat|futimens)\()/,
    came: /^\[("(atime|mtime|ctime)",?)*\]$|^false$|^\[true,false\]$/,
  },
  {
    reason:
      'a file that is deleted while it is open lies hidden in its directory until a moment after it is closed',
    rows: /^(directories: rmdir after an open file|unlinking: .*(open file|its directory))/,
    came: /^("ENOTEMPTY"$|its folder: ENOTEMPTY)/,
  },
]

export const reasonFor = (engine: string, { row, came }: Differs): string | null => {
  const own = engine === 'sshfs' ? ON_SSHFS : ON_RCLONE
  return (
    [...ON_BOTH, ...own].find((one) => one.rows.test(row) && one.came.test(came))?.reason ?? null
  )
}
