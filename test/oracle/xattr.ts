// The oracle's view of extended attributes (FORMAT.md §7): bytes in, bytes out.

import { generationKey, type VaultKeys } from './object.js'
import { cat, HK, open, seal, sivOpen, sivSeal, text } from './primitives.js'
import { pad } from './vault.js'

const PREFIX = 'user.coffer.'
const rootKey = (vault: VaultKeys): Buffer => generationKey(vault, vault.rootKeyId, 'name', 64)

/** What bears attributes: an object, the first meta of a directory, or the root. */
export interface OracleBearer {
  objectId: Buffer
  xattr: Buffer
}

export function rootBearer(vault: VaultKeys): OracleBearer {
  const { vaultId, seeds, rootKeyId } = vault
  const xattr = HK(seeds.get(rootKeyId)!, vaultId, text('coffer/v1/root-xattr'), 32)
  return { objectId: vaultId, xattr }
}

export function xattrName(vault: VaultKeys, { objectId }: OracleBearer, name: string): string {
  const ct = sivSeal(rootKey(vault), [objectId, text('xattr')], pad(name))
  return PREFIX + ct.toString('base64url')
}

export const xattrValue = (
  { xattr }: OracleBearer,
  backing: string,
  nonce: Uint8Array,
  value: Uint8Array,
): Buffer => cat(nonce, seal(xattr, nonce, value, text(backing)))

/** The plain attributes of what lies on a backing file; a value that does not open is null. */
export function readXattrs(
  vault: VaultKeys,
  bearer: OracleBearer,
  backing: ReadonlyMap<string, Buffer>,
): Map<string, Buffer | null> {
  const found = new Map<string, Buffer | null>()
  for (const [key, record] of backing) {
    if (!key.startsWith(PREFIX)) continue
    const ct = Buffer.from(key.slice(PREFIX.length), 'base64url')
    const padded = sivOpen(rootKey(vault), [bearer.objectId, text('xattr')], ct)
    if (padded === null) continue
    const name = padded.subarray(0, padded.lastIndexOf(0x80)).toString('utf8')
    if (Buffer.byteLength(name) > 143 || xattrName(vault, bearer, name) !== key) continue
    found.set(name, open(bearer.xattr, record.subarray(0, 24), record.subarray(24), text(key)))
  }
  return found
}
