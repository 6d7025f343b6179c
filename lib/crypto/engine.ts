// What a set of primitives must offer. Two engines implement it with the same bytes:
// `engine-openssl` (EVP calls on preallocated buffers) and `engine-portable` (node:crypto, noble).
// Everything is synchronous and pure: no file, clock or randomness.
//
// Keyed objects keep a key schedule. They copy the key they are given; `wipe` clears it, and any
// use after `wipe` throws.

/** XAES-256-GCM (C2SP) under one key. A record is nonce24 ‖ ciphertext ‖ tag16, contiguous. */
export interface Xaes {
  /**
   * Seals `length` bytes at `plain[plainOffset…]` into the record that begins at
   * `record[recordOffset]`. The caller has put the nonce there; ciphertext and tag are written
   * behind it. `plain` and `record` do not overlap. `length` may be 0.
   */
  seal(
    record: Uint8Array,
    recordOffset: number,
    plain: Uint8Array,
    plainOffset: number,
    length: number,
    aad: Uint8Array,
  ): void
  /**
   * Opens the record (plaintext length `length`) into `plain[plainOffset…]`. False where the tag
   * does not verify; the destination then holds nothing of the plaintext (it is zeroed).
   */
  open(
    record: Uint8Array,
    recordOffset: number,
    plain: Uint8Array,
    plainOffset: number,
    length: number,
    aad: Uint8Array,
  ): boolean
  wipe(): void
}

/** AES-256-CMAC (RFC 4493) under one key. */
export interface Cmac {
  /** 16 bytes of the MAC of `data` into `out[outOffset…]`. */
  mac(data: Uint8Array, out: Uint8Array, outOffset: number): void
  wipe(): void
}

/** AES-256-SIV (RFC 5297), 64-byte key. Output and input are V16 ‖ ciphertext. */
export interface Siv {
  seal(plain: Uint8Array, ad: readonly Uint8Array[]): Uint8Array
  /** null where V does not verify. */
  open(sealed: Uint8Array, ad: readonly Uint8Array[]): Uint8Array | null
  wipe(): void
}

export interface Engine {
  readonly name: 'openssl' | 'portable'
  /** key: 32 bytes */
  xaes(key: Uint8Array): Xaes
  /** key: 32 bytes */
  cmac(key: Uint8Array): Cmac
  /** key: 64 bytes */
  siv(key: Uint8Array): Siv
  /** HKDF-SHA-256 (RFC 5869), extract and expand. */
  hkdf(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array
  sha256(data: Uint8Array): Uint8Array
  /** scrypt (RFC 7914) with N = 2^logN. The caller has checked the cost. */
  scrypt(
    password: Uint8Array,
    salt: Uint8Array,
    logN: number,
    r: number,
    p: number,
    length: number,
  ): Uint8Array
  /** AES-256-GCM, 12-byte nonce, one shot: ciphertext ‖ tag16. */
  gcmSeal(key: Uint8Array, nonce: Uint8Array, plain: Uint8Array, aad: Uint8Array): Uint8Array
  /** null where the tag does not verify. */
  gcmOpen(
    key: Uint8Array,
    nonce: Uint8Array,
    sealed: Uint8Array,
    aad: Uint8Array,
  ): Uint8Array | null
}
