// What a drive cannot do under the driver fuse-native: rows of the suite, by topic and sentence, and what
// forbids each. native-notes/fuse-native.md shows the same table, which a test compares.

import { rowName } from './row.js'

export interface Inability {
  topic: string
  /** first words of rows */
  rows: readonly string[]
  /** the function of the library or the kernel that forbids it */
  because: string
}

const NO_FALLOCATE =
  'fuse_native_mount registers no fallocate operation: fallocate(2) fails with EOPNOTSUPP'
const NO_RENAME2 =
  'libfuse 2.9 has no RENAME2: the kernel refuses the flags of renameat2(2) with EINVAL'
const NO_TMPFILE = 'libfuse 2.9 has no TMPFILE: O_TMPFILE fails with EOPNOTSUPP'
const NO_CALLER =
  'fuse_get_context is not handed to JavaScript: what anybody makes belongs to the user of the drive'
const MILLISECONDS = 'timespec_to_uint64 and uint32s_to_timespec keep whole milliseconds'

export const CANNOT: readonly Inability[] = [
  {
    topic: 'allocating',
    rows: [
      'the file grows and is zero',
      'beyond what is there: old bytes stay',
      'the size is kept, the room is taken, until it is truncated',
      'a hole is made, and its room given back',
      'a hole in what has just been written',
      'a hole up to the end and beyond',
      'a hole of everything',
      'a hole inside one block',
      'a hole beyond the end changes nothing',
      'a hole is written to again',
      'a mapping does not keep what was in a hole',
      'a range is made zero and keeps its room',
      'a range is made zero beyond the end',
      'beyond all bounds',
      'beyond what ext4 holds',
      'mtime moves',
      'a hole that was made is found',
      'a hole that was made in a large file is found',
      '100 GiB of nothing',
      '8 TiB of nothing',
    ],
    because: NO_FALLOCATE,
  },
  {
    topic: 'allocating',
    rows: ['data and holes are found'],
    because: 'libfuse 2.9 has no lseek operation: to the kernel every file is data up to its end',
  },
  {
    topic: 'links',
    rows: ['a target that is not UTF-8'],
    because:
      'fuse_native_signal_readlink takes a JavaScript string: such a target is refused with EILSEQ',
  },
  {
    topic: 'replacing',
    rows: ['RENAME_NOREPLACE over nothing'],
    because: NO_RENAME2,
  },
  {
    topic: 'exchanging',
    rows: [
      'two files',
      'two files, there and back',
      'two directories',
      'a file and a directory',
      'a directory and a file, of other directories',
      'a file and a symbolic link',
      'two symbolic links, a long name',
      'files that are open and not stored',
      'hard links: with another file, and with each other',
      'no replacing: a free name',
    ],
    because: NO_RENAME2,
  },
  {
    topic: 'unlinking',
    rows: ['its directory can go before it'],
    because:
      'fuse_lib_rmdir of libfuse forgets the path of what lay in the directory: the open file is ENOENT',
  },
  {
    topic: 'owners',
    rows: [
      "somebody else's file is his",
      'and he can use it',
      'a set-gid directory gives its group',
    ],
    because: NO_CALLER,
  },
  {
    topic: 'permission',
    rows: ["reading one's own 0077"],
    because: NO_CALLER,
  },
  {
    topic: 'setting times',
    rows: ['touch -a', 'touch -m'],
    because:
      'timespec_to_uint64 makes one number of UTIME_NOW and UTIME_OMIT: both times become now',
  },
  {
    topic: 'setting times',
    rows: ['before 1970, and far ahead'],
    because:
      'uint32s_to_timespec divides unsigned, and keeps milliseconds: before 1970 is shown as 1970',
  },
  {
    topic: 'setting times',
    rows: [
      'nanoseconds',
      'atime alone',
      'mtime alone',
      'touch -d',
      'of a directory',
      'of a link',
      'of files of any mode',
      'set on an open file before its close',
      'set by path while a file is open',
      'set, then mode and owner: it stays',
      'set, then renamed: it stays',
      'set, then opened and read: it stays',
    ],
    because: MILLISECONDS,
  },
  {
    topic: 'rights',
    rows: [
      'every mode of a directory: to list, to look up, to make and remove',
      'what each makes is his, with his group',
      'a set-gid directory: group and bit go down',
    ],
    because: NO_CALLER,
  },
  {
    topic: 'rights',
    rows: ['set-user-ID goes: fallocate'],
    because: NO_FALLOCATE,
  },
  {
    topic: 'moving times',
    rows: ['a set time of a directory stays when a new file in it is closed'],
    because: MILLISECONDS,
  },
  {
    topic: 'touching',
    rows: [
      'fallocate that grows',
      'fallocate inside',
      'fallocate beyond, keeping the size',
      'a hole',
      'a hole beyond the end',
      'a range made zero',
    ],
    because: NO_FALLOCATE,
  },
  {
    topic: 'touching',
    rows: ['an exchange', 'an exchange: the directory'],
    because: NO_RENAME2,
  },
  {
    topic: 'touching',
    rows: ['a file without a name', 'a file without a name gets one'],
    because: NO_TMPFILE,
  },
  {
    topic: 'table, opening',
    rows: [
      'open(O_TMPFILE|O_RDWR) a directory: a file without a name: ok',
      'open(O_TMPFILE|O_WRONLY|O_EXCL) a directory: ok',
      'linkat(O_TMPFILE) a file without a name gets one: ok',
      'linkat(O_TMPFILE|O_EXCL) one that must not get any: ENOENT',
      'linkat(O_TMPFILE) a name that is taken: EEXIST',
    ],
    because: NO_TMPFILE,
  },
  {
    topic: 'table, bytes',
    rows: [
      'fallocate(0) a range: ok',
      'fallocate(0) beyond all bounds: EFBIG',
      'fallocate(RLIMIT_FSIZE) beyond what the process may: EFBIG',
      'fallocate(FALLOC_FL_KEEP_SIZE) a range: ok',
      'fallocate(FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE) a range: ok',
      'fallocate(FALLOC_FL_ZERO_RANGE) a range: ok',
      'fallocate(FALLOC_FL_ZERO_RANGE|FALLOC_FL_KEEP_SIZE) a range: ok',
    ],
    because: NO_FALLOCATE,
  },
  {
    topic: 'table, names',
    rows: [
      'renameat2(RENAME_NOREPLACE) a free name: ok',
      'renameat2(RENAME_EXCHANGE) two files: ok',
      'renameat2(RENAME_WHITEOUT) a file: a device of number 0 takes its place: ok',
    ],
    because: NO_RENAME2,
  },
  {
    topic: 'table, attributes',
    rows: [
      'utimensat(UTIME_OMIT,1) mtime alone: ok',
      'utimensat(1,UTIME_OMIT) atime alone: ok',
      'utimensat(AT_SYMLINK_NOFOLLOW) a link: ok',
      'futimens() a file: ok',
    ],
    because: MILLISECONDS,
  },
]

export const cannotDo: ReadonlySet<string> = new Set(
  CANNOT.flatMap(({ topic, rows }) => rows.map((what) => rowName(topic, what))),
)

/** The table of the note. */
export const table = (): string[] =>
  CANNOT.flatMap(({ topic, rows, because }) =>
    rows.map((what) => `| ${topic} | ${what.replaceAll('|', '\\|')} | ${because} |`),
  )
