// EVP functions of the OpenSSL inside the Node binary (EVP_EncryptInit(3)). They write where they
// are told, so the data path allocates nothing. Pointers are plain numbers, as in `libc`.
// Everything is bound at once: a binary without one of them is found out before any data is touched.

import { addressOf, native } from './libc.js'

export interface Openssl {
  /** A cipher of the default library context, 0 where it has none of that name. */
  CIPHER_fetch(libraryContext: 0, name: string, properties: 0): number
  CIPHER_free(cipher: number): void
  CIPHER_CTX_new(): number
  /** Clears the key schedule. */
  CIPHER_CTX_free(context: number): void
  /** 0 for what stays as it is; `encrypt` is 1 or 0. */
  CipherInit_ex(
    context: number,
    cipher: number,
    engine: 0,
    key: number,
    iv: number,
    encrypt: number,
  ): number
  /** `out` 0: the input is associated data. */
  CipherUpdate(
    context: number,
    out: number,
    outLength: number,
    input: number,
    length: number,
  ): number
  CipherFinal_ex(context: number, out: number, outLength: number): number
  CIPHER_CTX_ctrl(context: number, command: number, argument: number, pointer: number): number
  /** A derivation of the default library context, 0 where it has none of that name. */
  KDF_fetch(libraryContext: 0, name: string, properties: 0): number
  KDF_CTX_new(kdf: number): number
  /** Clears the key. */
  KDF_CTX_reset(context: number): void
  /** `params`: address of an array of OSSL_PARAM(3). */
  KDF_derive(context: number, out: number, length: number, params: number): number
  ERR_clear_error(): void
  /** Address for the lengths that EVP reports and nobody needs. */
  readonly ignoredLength: number
}

export const EVP_CTRL_AEAD_GET_TAG = 0x10
export const EVP_CTRL_AEAD_SET_TAG = 0x11

// Kept here because an address does not keep its memory alive.
const ignored = new Uint8Array(16)

/** Throws where native calls or one of the functions are missing. */
export function bindOpenssl(): Openssl {
  return {
    CIPHER_fetch: native('uintptr_t EVP_CIPHER_fetch(uintptr_t, str, uintptr_t)'),
    CIPHER_free: native('void EVP_CIPHER_free(uintptr_t)'),
    CIPHER_CTX_new: native('uintptr_t EVP_CIPHER_CTX_new()'),
    CIPHER_CTX_free: native('void EVP_CIPHER_CTX_free(uintptr_t)'),
    CipherInit_ex: native(
      'int EVP_CipherInit_ex(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, int)',
    ),
    CipherUpdate: native('int EVP_CipherUpdate(uintptr_t, uintptr_t, uintptr_t, uintptr_t, int)'),
    CipherFinal_ex: native('int EVP_CipherFinal_ex(uintptr_t, uintptr_t, uintptr_t)'),
    CIPHER_CTX_ctrl: native('int EVP_CIPHER_CTX_ctrl(uintptr_t, int, int, uintptr_t)'),
    KDF_fetch: native('uintptr_t EVP_KDF_fetch(uintptr_t, str, uintptr_t)'),
    KDF_CTX_new: native('uintptr_t EVP_KDF_CTX_new(uintptr_t)'),
    KDF_CTX_reset: native('void EVP_KDF_CTX_reset(uintptr_t)'),
    KDF_derive: native('int EVP_KDF_derive(uintptr_t, uintptr_t, size_t, uintptr_t)'),
    ERR_clear_error: native('void ERR_clear_error()'),
    ignoredLength: addressOf(ignored),
  }
}
