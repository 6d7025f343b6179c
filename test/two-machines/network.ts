// Two network namespaces and a cable between them.

import { execFileSync } from 'node:child_process'

export interface Socket {
  readonly namespace: string
  readonly address: string
}

const ip = (...words: string[]): void => {
  execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'pipe'] })
}

export class Network {
  readonly ends: readonly [Socket, Socket]
  readonly #cable: string

  constructor(name: string) {
    this.#cable = `cof${name}`.slice(0, 13)
    this.ends = [
      { namespace: `coffer-${name}-a`, address: '10.77.0.1' },
      { namespace: `coffer-${name}-b`, address: '10.77.0.2' },
    ]
  }

  /** `atEnd` is told first, so that half a network goes, too. */
  build(atEnd: (undo: () => void) => void): void {
    for (const { namespace } of this.ends) {
      ip('netns', 'add', namespace)
      atEnd(() => {
        ip('netns', 'del', namespace)
      })
    }
    const [a, b] = this.ends
    const plugs = [`${this.#cable}a`, `${this.#cable}b`] as const
    ip('link', 'add', plugs[0], 'netns', a.namespace, 'type', 'veth', 'peer', 'name', plugs[1])
    ip('link', 'set', plugs[1], 'netns', b.namespace)
    for (const [i, { namespace, address }] of this.ends.entries()) {
      ip('-n', namespace, 'addr', 'add', `${address}/30`, 'dev', plugs[i] ?? '')
      ip('-n', namespace, 'link', 'set', 'lo', 'up')
    }
    this.plug()
  }

  plug(): void {
    this.#set('up')
  }

  unplug(): void {
    this.#set('down')
  }

  #set(state: string): void {
    for (const [i, { namespace }] of this.ends.entries())
      ip('-n', namespace, 'link', 'set', `${this.#cable}${'ab'[i] ?? ''}`, state)
  }
}
