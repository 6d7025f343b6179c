// Opening a vault folder as a drive: the world that every part works with, the tree over the folder, the
// watch on it, and the journal, which first brings to an end what an earlier drive has left.

import type { Engine } from '../crypto/engine.js'
import type { VaultBody } from '../format/config-body.js'
import { Keyring } from '../format/keys.js'
import { Layout } from '../format/layout.js'
import { openBacking, type Backing } from '../store/backing.js'
import { CONFIG_NAME } from '../store/config-file.js'
import { Placeholders } from '../store/placeholder.js'
import { VaultFolder } from '../store/vault-folder.js'
import { ChunkPool, RUN_RECORDS, type Context, type Log, type LogEvent } from './context.js'
import { Fetches } from './fetches.js'
import { Memory } from './memory.js'
import { Nonces, type Clock, type Random } from './nonces.js'
import { NotCarried } from './not-carried.js'
import { openJournal } from './open-journal.js'
import { PAGE_SIZE, PagePool, PAGES_MAX } from './page-pool.js'
import { Tree } from './tree.js'
import { Watch, type Outdated } from './watch.js'
import { Writers } from './writers.js'

export interface DriveOptions {
  engine: Engine
  vaultPath: string
  vaultId: Uint8Array
  body: VaultBody
  /** 16 bytes */
  deviceId: Uint8Array
  /** in the names of conflict copies that are made here */
  deviceName?: string
  readOnly: boolean
  /** private folder of this machine for journal and memory; needed wherever something is written */
  journalFolder?: string
  /** tells this boot of the machine from others */
  boot?: string
  /** in place of the system's own calls */
  backing?: Backing
  /** directory descriptors to keep open at most */
  descriptors?: number
  /** pages of plaintext that may wait for their chunks at most */
  pages?: number
  log: Log
  random: Random
  clock?: Clock
  /** refuses a vault that another drive of this machine has open */
  lock?: boolean
  /** requests can be parked: operations may throw `Later` */
  parks?: boolean
  /** Waits until a sync program has brought what it left a stub of, which may never be; so if not given. */
  waits?: boolean
  /** only reading, by `node:fs` alone */
  portable?: boolean
  /** Others' changes are watched for, and told while the drive is tended. */
  changed?: (outdated: Outdated[]) => void
}

/** Words about recovery that `status` has at most. */
const RECOVERED_MAX = 50

interface OpenedTree {
  tree: Tree
  /** null where changes by others are not watched for */
  watch: Watch | null
  /** what the user should know of how an earlier drive ended */
  recovered: string[]
}

/** Throws what opening the folder, its lock and the journal throw; then nothing is left open. */
export function openTree(options: DriveOptions): OpenedTree {
  const { engine, vaultId, body, random, portable = false, clock = Date.now } = options
  const backing = options.backing ?? openBacking(portable, options.vaultPath)
  const readOnly = options.readOnly || !backing.writable
  const layout = new Layout(body.chunkLog2)
  const placeholders = new Placeholders(backing, options.vaultPath, CONFIG_NAME)
  const recovered: string[] = []
  let opening = true
  const world = {
    engine,
    vaultId,
    body,
    keyring: new Keyring(engine, vaultId, body.seeds),
    layout,
    backing,
    nonces: new Nonces(random, clock),
    random,
    clock,
    deviceId: options.deviceId,
    deviceName: options.deviceName ?? null,
    writers: new Writers(options.deviceId, body.devices, clock, options.log),
    notCarried: new NotCarried(),
    readOnly,
    log: (event: LogEvent) => {
      if (opening && event.level === 'warn' && recovered.length < RECOVERED_MAX)
        recovered.push(event.message)
      options.log(event)
    },
  }
  const memory = new Memory(world, options.journalFolder ?? null, options.boot ?? '')
  let folder: VaultFolder
  try {
    folder = new VaultFolder(backing, options.vaultPath, clock, {
      readOnly,
      hadContent: () => memory.hadContent,
    })
  } catch (error) {
    memory.close()
    world.keyring.wipe()
    throw error
  }
  const ctx: Context = {
    ...world,
    fetches: new Fetches({
      backing,
      placeholders,
      log: options.log,
      clock,
      waits: options.waits ?? true,
    }),
    journal: null,
    memory,
    pool: new ChunkPool(layout.chunkSize),
    pages: new PagePool(options.pages ?? PAGES_MAX, (2 * layout.chunkSize) / PAGE_SIZE),
    descriptors: options.descriptors ?? 512,
    ahead: new Map(),
    stored: { files: 0, bytes: 0 },
    records: new Uint8Array(RUN_RECORDS * layout.recordSize),
  }
  const tree = new Tree(ctx, folder)
  const watch = options.changed === undefined ? null : new Watch(tree, options.changed)
  try {
    if (options.lock === true) folder.lock()
    if (!readOnly) ctx.journal = openJournal(tree, options.journalFolder)
  } catch (error) {
    watch?.close()
    tree.close()
    memory.close()
    world.keyring.wipe()
    throw error
  }
  opening = false
  ctx.fetches.parks = options.parks ?? false
  return { tree, watch, recovered }
}
