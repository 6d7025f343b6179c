// Where the metas that this machine remembers say that their directories lie.

import { CofferError } from '../errors.js'
import type { Context } from './context.js'
import { lendKept, type Place } from './directory.js'
import type { Kept } from './memory.js'

/** Read once each; null where the bytes are lost. */
const places = new WeakMap<Kept, Place | null>()

/** The place that a remembered meta is sealed for; null where its bytes are lost. */
export function placeOf(ctx: Context, kept: Kept): Place | null {
  let place = places.get(kept)
  if (place === undefined) {
    place = read(ctx, kept)
    places.set(kept, place)
  }
  return place
}

function read(ctx: Context, kept: Kept): Place | null {
  const bytes = ctx.memory.bytes(kept)
  if (bytes === null) return null
  try {
    return lendKept(ctx, bytes, (_object, { parentDirId, name }) => ({ parentDirId, name }))
  } catch (error) {
    if (error instanceof CofferError) return null
    throw error
  }
}

/** All of them: for what happens rarely. */
export function rememberedPlaces(ctx: Context): Place[] {
  return [...ctx.memory.every()].flatMap((kept) => placeOf(ctx, kept) ?? [])
}
