// coffer device: what this machine is called, in the vaults that it opens and in the names of its
// conflict copies.

import { nameThisDevice, thisDevice } from '../agent/this-device.js'
import { json as printJson, out, say, shown } from './ui.js'

interface Arguments {
  name?: string | undefined
  json: boolean
}

export function device({ name, json }: Arguments): Promise<number> {
  const { id, name: called } = name === undefined ? thisDevice() : nameThisDevice(name)
  if (json) printJson({ id, name: called })
  else {
    out(`name:   ${shown(called)}`)
    out(`id:     ${id}`)
  }
  if (name !== undefined) say('Each vault learns of it when it is mounted here next.')
  return Promise.resolve(0)
}
