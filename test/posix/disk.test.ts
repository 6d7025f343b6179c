// The suite over the plain disk: what it asserts of a drive is what ext4 does.

import { statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import t from 'tap'
import { scratch } from './drive.js'
import { runSuite } from './suite.js'

const EXT4 = 0xef53

t.setTimeout(280_000)
if (process.platform !== 'linux') t.plan(0, 'this is not Linux')
else if (statfsSync(tmpdir()).type !== EXT4) t.plan(0, `${tmpdir()} is not ext4`)
else runSuite(t, scratch(t, 'disk'), 'disk')
