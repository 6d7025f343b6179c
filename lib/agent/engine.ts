// The engine of this process. COFFER_ENGINE=portable is for finding faults and for tests.

import { openEngine, type ChosenEngine } from '../crypto/choose-engine.js'

export const chooseEngine = (): Promise<ChosenEngine> =>
  openEngine(process.env.COFFER_ENGINE === 'portable' ? 'portable' : 'openssl')
