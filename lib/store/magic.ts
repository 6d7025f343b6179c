// Numbers by which statfs(2) tells file systems on Linux, as in linux/magic.h, of those that more than
// one file here asks for.

export const NFS = 0x6969
export const CIFS = 0xff534d42
export const SMB2 = 0xfe534d42
export const FUSE = 0x65735546
