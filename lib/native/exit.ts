// _exit(2): the end of the process, whatever its threads wait for. Node waits for them.

import { lazy } from './libc.js'

const exit = lazy('void _exit(int code)')

export function exitAtOnce(code: number): void {
  exit(code)
}
