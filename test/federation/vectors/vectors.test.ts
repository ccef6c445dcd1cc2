import { createHash, sign, verify } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { expect, it } from '@jest/globals'
import { chainEntries } from '../../../src/federation/follower/replica/batch-entries.js'
import { headOf } from '../../../src/federation/evidence/signed-heads.js'
import { readSignedDirectory } from '../../../src/protocol/evidence/signed-directories.js'
import { verifyEvidence } from '../../../src/protocol/evidence/verify-evidence.js'
import { signRequest } from '../../../src/protocol/http-signature/signed-request.js'
import { responseSignature, signResponse } from '../../../src/protocol/http-signature/signed-response.js'
import { initialChain } from '../../../src/protocol/log-chain.js'
import {
  decodeDeletionReceipt,
  encodeDeleteRoomRequest,
  encodeDeletionReceipt,
  receiptBytes,
} from '../../../src/protocol/mimi/microchat/deletion.js'
import {
  decodeErasureReceipt,
  decodeEraseUserRequest,
  encodeErasureReceipt,
  erasureReceiptBytes,
} from '../../../src/protocol/mimi/microchat/erasure.js'
import { signedHeadBytes } from '../../../src/protocol/mimi/microchat/heads.js'
import { decodeNotifyBatch, encodeNotifyBatch } from '../../../src/protocol/mimi/microchat/notify-batch.js'
import { encodeLogRequest, encodeLogResponse } from '../../../src/protocol/mimi/microchat/notify-response.js'
import type { Decoded } from '../../../src/protocol/tls/reader.js'
import { ed25519Key } from '../../../src/protocol/signature-key.js'
import { seededKey } from '../hostile/peer/evidence.js'
import { makeVectors } from './make.js'

// The file is made by the codec of the hostile peer; here the server's own codec reads, writes and signs the same bytes.

const FILE = new URL('vectors.json', import.meta.url)
if (process.env['WRITE_VECTORS']) writeFileSync(FILE, `${JSON.stringify(makeVectors(), undefined, 2)}\n`)
const vectors = JSON.parse(readFileSync(FILE, 'utf8')) as ReturnType<typeof makeVectors>

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))
const hex = (all: Uint8Array): string => Buffer.from(all).toString('hex')
const [hub, next, follower] = vectors.keys as [Key, Key, Key]
type Key = (typeof vectors.keys)[number]
const privateKey = ({ kid, seed }: Key) => seededKey(kid, bytes(seed)).privateKey
const publicKey = ({ x }: Key) => ed25519Key(Buffer.from(x, 'base64url'))
const isSigned = (by: Key, content: Uint8Array, signature: Uint8Array) => verify(null, content, publicKey(by), signature)
function read<T>(decoded: Decoded<T>): T {
  if (decoded.kind === 'malformed') throw new Error(decoded.reason)
  return decoded.value
}

it('the vectors are those that their maker makes (WRITE_VECTORS=1 writes them, and then `npm run format`)', () => {
  expect(vectors).toEqual(JSON.parse(JSON.stringify(makeVectors())))
})

it('a directory is read, with the key that has signed it', () => {
  expect(readSignedDirectory(vectors.directory)).toMatchObject({ domain: hub.provider, keys: [{ keyId: hub.kid, x: hub.x }] })
})

const { request, response } = vectors
const timesOf = (input: string) => {
  const [, created, expires, nonce] = /created=(\d+);expires=(\d+);nonce="([^"]+)"/.exec(input) ?? []
  return { created: Number(created), expires: Number(expires), nonce: String(nonce) }
}
const signer = (key: Key) => ({ domain: key.provider, keyId: key.kid, privateKey: privateKey(key) })
const content = (body: string) => ({ body: bytes(body), contentType: 'application/mimi' })

it('a request has these fields and this body', () => {
  const unsigned = { method: 'POST', targetUri: request.url, target: hub.provider, content: content(request.body) }
  const fields = signRequest(unsigned, signer(follower), timesOf(request['signature-input']))
  expect(fields).toMatchObject({ 'signature-input': request['signature-input'], signature: request.signature })
  expect(isSigned(follower, Buffer.from(request.base, 'latin1'), valueOf(request.signature))).toBe(true)
  expect(hex(encodeLogRequest({ groupId: Buffer.from('deadbeef', 'hex'), afterSeq: 2n }))).toBe(request.body)
})

it('an answer to it has these', () => {
  const unsigned = { method: 'POST', targetUri: request.url, target: hub.provider, content: content(request.body) }
  const message = { ...unsigned, headers: signRequest(unsigned, signer(follower), timesOf(request['signature-input'])) }
  const answer = { status: response.status, target: follower.provider, request: message, content: content(response.body) }
  const headers = signResponse(answer, signer(hub), timesOf(response['signature-input']))
  expect(headers).toMatchObject({ 'signature-input': response['signature-input'], signature: response.signature })
  const claimed = responseSignature({ status: response.status, headers, request: message }, true)
  expect('verify' in claimed && claimed.verify(publicKey(hub))).toBe('valid')
  expect(isSigned(hub, Buffer.from(response.base, 'latin1'), valueOf(response.signature))).toBe(true)
  expect(hex(encodeLogResponse(undefined))).toBe(response.body)
})

const valueOf = (field: string) => Buffer.from(field.slice('mimi=:'.length, -1), 'base64')

it('a batch has this chain and this head', () => {
  const { batch } = vectors
  const decoded = read(decodeNotifyBatch(bytes(batch.notify_batch)))
  expect(hex(encodeNotifyBatch(decoded))).toBe(batch.notify_batch)
  expect(decoded.entries.map(({ message }) => hex(message.message))).toEqual(batch.messages)
  expect(hex(initialChain(decoded.groupId, decoded.incarnation))).toBe(batch.initial_chain)
  const chained = chainEntries(decoded)
  if (chained.kind !== 'entries') throw new Error(chained.kind)
  expect(chained.entries.map(({ chain }) => hex(chain))).toEqual(batch.chains)
  expect(chained.entries.map(({ hash }) => hex(hash))).toEqual(batch.messages.map(hashOf))
  const head = signedHeadBytes(headOf(decoded, chained.entries, { hub: batch.hub, follower: batch.follower }, decoded.head.signedAtMs))
  expect([hex(head), hex(sign(null, head, privateKey(hub)))]).toEqual([batch.signed_head, batch.head_signature])
  expect([decoded.head.keyId, hex(decoded.head.signature)]).toEqual([hub.kid, batch.head_signature])
})

const hashOf = (message: string) => createHash('sha256').update(bytes(message)).digest('hex')

it('receipts of a deletion and an erasure are these', () => {
  const { deletion, erasure } = vectors
  const deleted = read(decodeDeletionReceipt(bytes(deletion.receipt)))
  expect(hex(encodeDeletionReceipt(deleted))).toBe(deletion.receipt)
  expect(hex(encodeDeleteRoomRequest(deleted))).toBe(deletion.request)
  expect(hex(receiptBytes(deletion, deleted))).toBe(deletion.signed)
  expect(isSigned(follower, bytes(deletion.signed), deleted.signature)).toBe(true)
  const erased = read(decodeErasureReceipt(bytes(erasure.receipt)))
  expect(hex(encodeErasureReceipt(erased))).toBe(erasure.receipt)
  expect(read(decodeEraseUserRequest(bytes(erasure.request)))).toMatchObject({ user: erasure.user })
  expect(hex(erasureReceiptBytes(erasure, erased))).toBe(erasure.signed)
  expect(isSigned(follower, bytes(erasure.signed), erased.signature)).toBe(true)
})

it('a file of evidence proves two histories, across a rotation', () => {
  const text = JSON.stringify(vectors.evidence)
  const verdict = verifyEvidence(text, [hub.x])
  expect(verdict).toMatchObject({ kind: 'proven', what: expect.stringContaining('differ at seq 2') })
  expect(verdict.kind === 'proven' && verdict.signers.map(({ key }) => key.x)).toEqual([hub.x, next.x])
  expect(verifyEvidence(text, [follower.x]).kind).toBe('not-proven')
})

it('the page has the shorter ones', () => {
  const page = readFileSync(new URL('../../../docs/federation-profile.md', import.meta.url), 'utf8').replaceAll(/\s+/g, '')
  const { batch } = vectors
  const shown = [
    hub.x,
    follower.x,
    request.signature,
    response.signature,
    batch.initial_chain,
    batch.chains[1],
    batch.signed_head,
    batch.head_signature,
  ]
  for (const one of shown) expect(page).toContain(one)
  expect(page).toContain(request.base.replaceAll(/\s+/g, ''))
})
