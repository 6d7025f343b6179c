// Arithmetic on the 16-byte block of AES, and the first step of XAES-256-GCM (C2SP), which is the
// same in both engines: a nonce becomes two blocks whose encryptions are the key for GCM.

/** Doubling in GF(2^128), in place: `dbl` of RFC 5297, the subkey step of RFC 4493. */
export function double(block: Uint8Array): void {
  let carry = 0
  for (let i = 15; i >= 0; i--) {
    const byte = block[i]!
    block[i] = (byte << 1) | carry
    carry = byte >>> 7
  }
  block[15]! ^= carry * 0x87
}

/** The two blocks for a nonce of zeros; `l` is the encryption of the zero block, and is used up. */
export function derivationMask(l: Uint8Array): Uint8Array {
  double(l)
  const mask = new Uint8Array(32)
  for (const counter of [1, 2]) {
    const at = 16 * (counter - 1)
    mask.set(l, at)
    mask[at + 1]! ^= counter
    mask[at + 2]! ^= 0x58
  }
  return mask
}

/** The two blocks for the nonce at `record[offset…]`, into `blocks`. */
export function derivationBlocks(
  mask: Uint8Array,
  record: Uint8Array,
  offset: number,
  blocks: Uint8Array,
): void {
  blocks.set(mask)
  for (let i = 0; i < 12; i++) {
    const byte = record[offset + i]!
    blocks[4 + i]! ^= byte
    blocks[20 + i]! ^= byte
  }
}
