// Modes on the backing inode. FORMAT.md §7, "Mode and owner".
//
// The backing inode bears the mode itself, so that a listing reads no blob. Two kinds of mode do not
// go there: one that would lock this program out of its own blob (no rw for the owner of a file, no
// rwx for the owner of a directory), and one with set-uid, set-gid or sticky bits, which mean nothing
// on ciphertext. Those live in the seal alone; the backing inode then has the sticky bit as a marker
// ("the mode is in the seal"), the owner's bits that we need, and the other bits as they are.

const MARKER = 0o1000
const FILE_NEEDS = 0o600
const DIRECTORY_NEEDS = 0o700

/** Permission bits of the backing inode for the plain permission bits `mode`. */
export function backingMode(mode: number, directory: boolean): number {
  const needs = directory ? DIRECTORY_NEEDS : FILE_NEEDS
  const plain = (mode & 0o7000) === 0 && (mode & needs) === needs
  return plain ? mode & 0o777 : MARKER | needs | (mode & 0o077)
}

/** True where the backing inode says that the mode is in the seal. */
export const modeIsSealed = (backing: number): boolean => (backing & MARKER) !== 0
