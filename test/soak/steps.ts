// Long random sequences for a mounted drive beside a plain folder: those of the in-process model, and
// what only a kernel can ask for.

import fc from 'fast-check'
import { operation, paths, sizes, type Step } from '../fs/script.js'

export type SoakStep =
  | Exclude<Step, ['wait', number]>
  | ['link', string, string]
  | ['exchange', string, string]
  | ['setxattr', string, string, number, 0 | 1 | 2]
  | ['removexattr', string, string]
  /** writes through a shared mapping */
  | ['map', number, number, number]

const CHUNK = 32 * 1024

export function soakSteps(maxLength: number): fc.Arbitrary<SoakStep[]> {
  const size = sizes(CHUNK)
  const attribute = fc.constantFrom('user.a', 'user.b', 'user.ü')
  const further: fc.Arbitrary<SoakStep> = fc.oneof(
    { weight: 4, arbitrary: fc.tuple(fc.constant('link' as const), paths, paths) },
    { weight: 3, arbitrary: fc.tuple(fc.constant('exchange' as const), paths, paths) },
    {
      weight: 4,
      arbitrary: fc.tuple(
        fc.constant('setxattr' as const),
        paths,
        attribute,
        fc.nat(100),
        fc.constantFrom(0 as const, 0 as const, 1 as const, 2 as const),
      ),
    },
    { weight: 2, arbitrary: fc.tuple(fc.constant('removexattr' as const), paths, attribute) },
    {
      weight: 4,
      arbitrary: fc.tuple(fc.constant('map' as const), fc.nat(3), size, fc.nat(20_000)),
    },
  )
  const one = fc.oneof(
    { weight: 800, arbitrary: operation(CHUNK) as fc.Arbitrary<SoakStep> },
    { weight: 190, arbitrary: further },
    // a remount takes as long as a hundred other operations
    { weight: 2, arbitrary: fc.tuple(fc.constant('remount' as const)) },
  )
  return fc.array(one, { minLength: 1, maxLength, size: 'max' })
}
