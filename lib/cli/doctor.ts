// coffer doctor: what works on this machine, and what to do about what does not. Exit 0 where a drive
// can be mounted, 15 or 28 where not; ls and get may work all the same.

import { totalmem } from 'node:os'
import { resolve } from 'node:path'
import { openEngine } from '../crypto/choose-engine.js'
import { DEFAULT_DRIVER, DRIVERS } from '../mount/driver.js'
import { LOCK_EVENTS } from '../agent/lock-events.js'
import { busProblem, lacking } from '../agent/logind.js'
import { driverProblem } from '../mount/driver-problem.js'
import { nativeAvailable, nativeProblem } from '../native/libc.js'
import { CofferError } from '../errors.js'
import { usableFolder } from '../store/folder.js'
import { runtimeFolder, stateFolder } from '../store/state-folder.js'
import { vaultFolder } from './doctor-folder.js'
import { fine, type Finding } from './finding.js'
import { ALL_KINDS, elsewhere, notCarried } from './not-carried.js'
import { amount, json as printJson, out } from './ui.js'

interface Arguments {
  folder?: string | undefined
  json: boolean
}

export async function doctor({ folder, json }: Arguments): Promise<number> {
  const needed = fuse()
  const own = folders()
  const findings = [
    node(),
    native(),
    await engine(),
    needed,
    ...otherDrivers(),
    locking(),
    memory(),
    ...own,
    syncClients(),
  ]
  if (folder !== undefined) findings.push(...vaultFolder(resolve(folder)))
  if (json) printJson(findings)
  else for (const finding of findings) show(finding)
  if (needed.ok === false) return 15
  return own.some(({ ok }) => ok === false) ? 28 : 0
}

function show({ what, ok, says, advice }: Finding): void {
  const mark = ok === true ? 'ok' : ok === null ? 'but' : 'NO'
  out(`${mark.padEnd(5)} ${what}: ${says}`)
  if (advice !== '') out(`      ${advice}`)
}

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const says = `${process.version} on ${process.platform} ${process.arch}, OpenSSL ${process.versions.openssl}`
  if (major > 20 || (major === 20 && minor >= 19)) return fine('Node', says)
  return { what: 'Node', ok: false, says, advice: 'install Node 20.19 or newer' }
}

function native(): Finding {
  if (nativeAvailable) return fine('native calls', 'koffi is loaded')
  const advice = 'run npm install again on this machine; ls and get work without it'
  return { what: 'native calls', ok: false, says: nativeProblem, advice }
}

async function engine(): Promise<Finding> {
  const { engine: chosen, problem } = await openEngine()
  if (problem === '') return fine('encryption', `fast engine (${chosen.name})`)
  return {
    what: 'encryption',
    ok: null,
    says: `slow engine (${chosen.name}): ${problem}`,
    advice: '',
  }
}

function fuse(): Finding {
  const problem = driverProblem(DEFAULT_DRIVER)
  if (problem === null) return fine('mounting', `FUSE can be used, by ${DEFAULT_DRIVER}`)
  return { what: 'mounting', ok: false, says: problem.message, advice: problem.hint }
}

/** Nobody needs these where the default one works. */
function otherDrivers(): Finding[] {
  return DRIVERS.filter((driver) => driver !== DEFAULT_DRIVER).map((driver) => {
    const what = `driver ${driver}`
    const problem = driverProblem(driver)
    if (problem === null) return fine(what, `can be used: mount --driver ${driver}`)
    return { what, ok: false, says: problem.message, advice: problem.hint }
  })
}

/** Nobody needs it who does not ask for it. */
function locking(): Finding {
  const what = 'locking at suspend, screen lock and logout'
  const problems = [...lacking(LOCK_EVENTS), busProblem()].filter((problem) => problem !== null)
  if (problems.length === 0) return fine(what, 'can be used: mount --lock-on suspend,screen,logout')
  return { what, ok: false, says: problems.join('; '), advice: 'mount --idle locks a drive too' }
}

function memory(): Finding {
  const total = totalmem()
  const says = `${amount(total)}; unlocking takes 128 MiB for a moment`
  if (total >= 400 * 2 ** 20) return fine('memory', says)
  return { what: 'memory', ok: null, says, advice: 'make vaults with --scrypt-logn 15 here' }
}

/** Not to be changed by anybody here; but who looks for what is missing finds it. */
function syncClients(): Finding {
  const says = `most do not carry ${notCarried(ALL_KINDS)} from one machine to another`
  return { what: 'sync clients', ok: true, says, advice: elsewhere(ALL_KINDS) }
}

function folders(): Finding[] {
  return [['state folder', stateFolder] as const, ['runtime folder', runtimeFolder] as const].map(
    ([what, place]) => {
      try {
        const path = place()
        usableFolder(path)
        return fine(what, path)
      } catch (error) {
        if (!(error instanceof CofferError)) throw error
        return { what, ok: false, says: error.message, advice: error.hint }
      }
    },
  )
}
