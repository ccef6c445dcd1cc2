import { generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto'
import { newProofKey, Prover } from '../../../examples/client/possession.js'
import { checkProof } from '../../../src/authentication/possession/dpop-proof.js'
import { checkContentDigest } from '../../../src/protocol/http-signature/content-digest.js'
import { requestSignature, signRequest } from '../../../src/protocol/http-signature/signed-request.js'
import { compareFraming } from '../../../src/protocol/mls/framing.js'
import { decodeMessage } from '../../../src/protocol/mls/message.js'
import { MAX_BATCH_ENTRIES } from '../../../src/protocol/mimi/microchat/notify-batch.js'
import { decapsulateRequest, encapsulateRequest } from '../../../src/protocol/ohttp/encapsulation.js'
import type { KeyConfig } from '../../../src/protocol/ohttp/key-config.js'
import { decodeBatchRequest, encodeBatchRequest, encodeBatchResponse } from '../../../src/protocol/privacy-pass/issuance.js'
import { TlsWriter } from '../../../src/protocol/tls/writer.js'
import { right, type Piece } from './piece.js'

const MEBIBYTE = 1024 * 1024
const SIGNED = { method: 'POST', targetUri: 'https://b.example/mimi/v1/notify/room', target: 'b.example' }
const TIMES = { created: 1_000, expires: 1_060, nonce: 'abcdefghijklmnop' }

/** Paths between providers, and for posts without a sender. */
export const PROTOCOL_PIECES: readonly Piece[] = [
  {
    name: `framing of a batch of ${MAX_BATCH_ENTRIES} messages, read a second time`,
    place: 'event loop',
    bounded: 'FEDERATION_REQUESTS_PER_MINUTE; the entries of a batch',
    allowed: 60,
    because: 'some 4 µs for each message, whatever its length',
    make: async () => {
      const messages = Array.from({ length: MAX_BATCH_ENTRIES }, () => {
        const decoded = decodeMessage(privateMessageOf(16 * 1024))
        if (decoded.kind === 'malformed') throw new Error(decoded.reason)
        return decoded.value
      })
      return () => {
        for (const message of messages) if (compareFraming(message).kind !== 'agreed') throw new Error('They disagree')
      }
    },
  },
  {
    name: 'signature of a peer, claimed and checked',
    place: 'event loop',
    bounded: 'FEDERATION_UNVERIFIED_PER_MINUTE, FEDERATION_REQUESTS_PER_MINUTE',
    make: async () => {
      const { privateKey, publicKey } = generateKeyPairSync('ed25519')
      const request = { ...SIGNED, targetUri: `${SIGNED.targetUri}?${'x'.repeat(7_000)}` }
      const headers = signRequest(request, { domain: 'a.example', keyId: 'k1', privateKey }, TIMES)
      return () => {
        const claimed = requestSignature({ method: request.method, targetUri: request.targetUri, headers }, false)
        if (claimed.kind !== 'claimed' || claimed.verify(publicKey) !== 'valid') throw new Error('not signed')
      }
    },
  },
  {
    name: 'proof of possession, checked',
    place: 'event loop',
    bounded: 'one a request: REQUESTS_PER_DEVICE_PER_MINUTE, ANONYMOUS_PER_MINUTE',
    make: async () => {
      const url = 'https://b.example/v1/devices'
      const proof = new Prover(newProofKey()).proof('GET', url, 'token')
      const request = { method: 'GET', url: '/v1/devices', headers: {}, socket: {} }
      const expected = { publicUrl: 'https://b.example', token: 'token', now: Date.now() }
      return () => right('valid', checkProof(proof, request, expected))
    },
  },
  {
    name: 'digest of a body of 6 MiB',
    place: 'slices',
    bounded: 'only of admitted providers, within the budget of the address',
    make: async () => {
      const body = randomBytes(6 * MEBIBYTE)
      const { 'content-digest': digest } = signRequest(
        { ...SIGNED, content: { body, contentType: 'application/mimi' } },
        { domain: 'a.example', keyId: 'k1', privateKey: generateKeyPairSync('ed25519').privateKey },
        TIMES,
      )
      return () => checkContentDigest({ 'content-digest': digest }, body)
    },
  },
  {
    name: 'batch of tokens, but for the signatures',
    place: 'event loop',
    bounded: '60 requests a minute of an account, 600 of a peer',
    make: async () => {
      const requests = Array.from({ length: 50 }, () => ({ truncatedKeyId: 1, blindedMessage: new Uint8Array(randomBytes(256)) }))
      const body = encodeBatchRequest(requests)
      return () => {
        decodeBatchRequest(body, 50)
        return encodeBatchResponse(requests.map(({ blindedMessage }) => blindedMessage))
      }
    },
  },
  {
    name: 'envelope of a sealed post, opened',
    place: 'event loop',
    bounded: 'a token of the relay each; MAX_MESSAGE_BYTES',
    allowed: 60,
    because: 'HPKE in JavaScript, three operations of which the largest is the key agreement',
    make: async () => {
      const { privateKey, publicKey } = generateKeyPairSync('x25519')
      const raw = (key: KeyObject, part: 'x' | 'd') => new Uint8Array(Buffer.from(String(key.export({ format: 'jwk' })[part]), 'base64url'))
      const config: KeyConfig = { id: 1, publicKey: raw(publicKey, 'x'), aeads: ['aes-128-gcm'] }
      const envelope = await encapsulateRequest(config, randomBytes(264 * 1024))
      if (!envelope) throw new Error('not sealed')
      const keys = new Map([[1, raw(privateKey, 'd')]])
      return async () => (await decapsulateRequest(keys, envelope.message))?.sealResponse(new Uint8Array(1_024))
    },
  },
]

function privateMessageOf(ciphertextBytes: number): Uint8Array {
  const writer = new TlsWriter().uint32(0x0001_0002).opaque(randomBytes(32)).uint64(7n).uint8(1)
  return writer.opaque(new Uint8Array()).opaque(randomBytes(28)).opaque(randomBytes(ciphertextBytes)).written()
}
