#!/usr/bin/env node

try {
  const { main } = await import('../dist/lib/cli/main.js')
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
  process.stderr.write('coffer: this copy is not built, or a package is missing\n')
  process.stderr.write('hint: run npm ci and npm run build\n')
  process.exitCode = 1
}
