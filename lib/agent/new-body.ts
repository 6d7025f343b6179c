// The settings and keys of a vault that does not exist yet.

import { randomBytes } from 'node:crypto'
import type { VaultBody } from '../format/config-body.js'
import {
  CHUNK_LOG2_DEFAULT,
  ID_SIZE,
  KEY_ID_SIZE,
  KEY_SIZE,
  STRICT_MAX_DEFAULT,
  SUITE_XAES_256_GCM,
} from '../format/constants.js'

/** The caller wipes the seeds. */
export function newBody(label = ''): VaultBody {
  const rootKeyId = randomBytes(KEY_ID_SIZE)
  return {
    v: 1,
    chunkLog2: CHUNK_LOG2_DEFAULT,
    rootDirId: randomBytes(ID_SIZE),
    rootKeyId,
    current: rootKeyId,
    seeds: new Map([[rootKeyId.toString('hex'), randomBytes(KEY_SIZE)]]),
    suites: [SUITE_XAES_256_GCM],
    policy: { strictMax: STRICT_MAX_DEFAULT, integrity: 'auto', unknown: {} },
    devices: [],
    label,
    unknown: {},
  }
}
