// Padding of names before they are encrypted: 0x80 and zeros up to the next multiple of 16.
// FORMAT.md §7. Pure.

/** Always at least the one byte 0x80. */
export function pad(bytes: Uint8Array): Uint8Array {
  const padded = new Uint8Array((Math.floor(bytes.length / 16) + 1) * 16)
  padded.set(bytes)
  padded[bytes.length] = 0x80
  return padded
}

/** null where `pad` of 1 to `max` bytes does not make this. */
export function unpad(padded: Uint8Array, max: number): Uint8Array | null {
  const length = padded.lastIndexOf(0x80)
  if (length < 1 || length > max || padded.length !== (Math.floor(length / 16) + 1) * 16)
    return null
  for (let i = length + 1; i < padded.length; i++) if (padded[i] !== 0) return null
  return padded.subarray(0, length)
}
