// Makes the self-test in a process of its own, when its pid has been told to the drive:
// `node self-tester.js`; one line of JSON in, one out.

import { Buffer } from 'node:buffer'
import { createInterface } from 'node:readline'
import { selfTest } from '../../lib/agent/self-test.js'

interface Job {
  mountpoint: string
  files: { name: string; base64: string }[]
}

createInterface(process.stdin).once('line', (line) => {
  const { mountpoint, files } = JSON.parse(line) as Job
  const test = files.map(({ name, base64 }) => ({ name, content: Buffer.from(base64, 'base64') }))
  selfTest(mountpoint, test, false, () => Promise.resolve(Infinity)).then(
    () => {
      console.log('passed')
      process.exit()
    },
    (error: unknown) => {
      console.log(String(error))
      process.exit()
    },
  )
})
