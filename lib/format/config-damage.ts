// The one shape of "this config cannot be trusted".

import { CofferError } from '../errors.js'

export function damagedConfig(what: string): CofferError {
  return new CofferError('CONFIG_DAMAGED', `vault.coffer is damaged: ${what}`, {
    hint: 'vault.coffer.bak is the config before it; the cloud may keep older versions too',
  })
}
