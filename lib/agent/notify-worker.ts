// A thread that tells the kernel what is not true any more, for the one that serves, which must not.

import { parentPort, workerData } from 'node:worker_threads'
import type { Outdated } from '../fs/watch.js'
import { Notifier } from '../mount/fuse-linux/notify.js'

const notifier = new Notifier(workerData as number)
/** null: there will be no more */
parentPort?.on('message', (outdated: Outdated[] | null) => {
  if (outdated === null || !notifier.tell(outdated)) parentPort?.close()
})
