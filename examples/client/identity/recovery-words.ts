import { hkdfSync, randomBytes } from 'node:crypto'
import { entropyToMnemonic, mnemonicToEntropy } from '@scure/bip39'
import { wordlist } from '@scure/bip39/wordlists/english.js'
import { ed25519Key, type SigningKey } from './keys.js'

const ENTROPY_BYTES = 32

/** 24 words (BIP-39) to write down: who has them can enrol devices for the user. */
export function newRecoveryWords(): string {
  return entropyToMnemonic(randomBytes(ENTROPY_BYTES), wordlist)
}

/**
 * The recovery key that belongs to words. Derived, so that words that are also used for something else give another key there.
 * @throws Error for words that are none, too few, or mistyped: a checksum is in them
 */
export function recoveryKey(words: string): SigningKey {
  const entropy = mnemonicToEntropy(words.trim().toLowerCase().split(/\s+/u).join(' '), wordlist)
  if (entropy.length !== ENTROPY_BYTES) throw new Error('A recovery key has 24 words')
  return ed25519Key(new Uint8Array(hkdfSync('sha256', entropy, new Uint8Array(), 'MicroChat Recovery Key', 32)))
}
