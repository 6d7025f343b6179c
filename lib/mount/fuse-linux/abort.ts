// Cutting a connection off by its control file, where there is one: whoever waits for an answer gets
// an error. For a drive that cannot answer any more and whose device something still holds open.

import { writeFileSync } from 'node:fs'

/** `devNumber`: MAJOR:MINOR of the mount; the control folder is named by the minor. */
export function abortConnection(devNumber: string): void {
  const minor = devNumber.split(':')[1] ?? ''
  try {
    writeFileSync(`/sys/fs/fuse/connections/${minor}/abort`, '1')
  } catch {
    // fusectl is not mounted, or the connection is gone
  }
}
