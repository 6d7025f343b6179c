import t from 'tap'
import { Drive, scratch } from './drive.js'
import { runSuite } from './suite.js'
t.setTimeout(280_000)
const isRoot = process.getuid?.() === 0
void t.test('the suite', async (t) => {
  const drive = new Drive(t, scratch(t, 'suite'))
  drive.mount('--driver', 'fuse-native', ...(isRoot ? ['--allow-other'] : []))
  await t.test('rows', (t) => {
    runSuite(t, drive.mountpoint, 'drive')
    t.end()
  })
  drive.unmount()
})
