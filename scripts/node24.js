// Brings the second Node that the suite runs on: an exact version of npm's package of the binary,
// kept under node_modules/.cache. Run by itself, it prints where the binary is.

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const VERSION = '24.21.0'
const ROOT = join(import.meta.dirname, '..')

/**
 * Path of the Node 24 binary, fetched where it is not there yet.
 * @returns {string}
 */
export function node24() {
  const name = `node-${process.platform}-${process.arch}`
  const prefix = join(ROOT, 'node_modules/.cache/coffer', `node-${VERSION}`)
  const binary = join(prefix, 'node_modules', name, 'bin/node')
  if (!existsSync(binary)) {
    mkdirSync(prefix, { recursive: true })
    // A package.json of its own keeps npm from looking at the project's.
    writeFileSync(join(prefix, 'package.json'), '{ "private": true }\n')
    const npm = ['install', '--prefix', prefix, '--no-fund', '--no-audit', '--loglevel=error']
    execFileSync('npm', [...npm, `${name}@${VERSION}`], { cwd: prefix, stdio: ['ignore', 2, 2] })
  }
  const version = execFileSync(binary, ['--version'], { encoding: 'utf8' }).trim()
  if (version !== `v${VERSION}`) throw new Error(`${binary} is ${version}, not v${VERSION}`)
  return binary
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) console.log(node24())
