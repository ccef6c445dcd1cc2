import { randomBytes } from 'node:crypto'
import { expect, it } from '@jest/globals'
import { headOf as productHead } from '../../../src/federation/evidence/signed-heads.js'
import { extendChain, initialChain as productStart, LETTER_OF_KIND } from '../../../src/protocol/log-chain.js'
import { decodeDeletionReceipt, receiptBytes } from '../../../src/protocol/mimi/microchat/deletion.js'
import { decodeErasureReceipt, erasureReceiptBytes } from '../../../src/protocol/mimi/microchat/erasure.js'
import { signedHeadBytes } from '../../../src/protocol/mimi/microchat/heads.js'
import { decodeNotifyBatch, encodeNotifyBatch } from '../../../src/protocol/mimi/microchat/notify-batch.js'
import { sha256 } from '../../../src/protocol/sha256.js'
import {
  deletionBytes,
  deletionReceipt,
  erasureBytes,
  erasureReceipt,
  headBytes,
  headOf,
  initialChain,
  notifyBatch,
  type Batch,
} from './peer/log.js'

// Two writers of one page: the server's, and that of the hostile peer.

const ROOM = 'mimi://a.example/r/club'
const parties = { hub: 'a.example', follower: 'b.example' }
const batch: Batch = {
  groupId: Buffer.from('group'),
  room: ROOM,
  mode: 'private',
  suite: 1,
  incarnation: 7,
  postFloor: 2n,
  gap: 'none',
  firstSeq: 5n,
  previousChain: initialChain(Buffer.from('group'), 7),
  entries: [
    { kind: 'commit', epoch: 3n, message: randomBytes(70) },
    { kind: 'application', epoch: 4n, message: randomBytes(20_000) },
    { kind: 'proposal', epoch: 4n, message: randomBytes(3) },
  ],
  roster: [
    { seq: 5n, joined: false, client: 'mimi://b.example/d/bob/phone' },
    { seq: 5n, joined: true, client: 'mimi://b.example/d/bob/tablet' },
  ],
  welcomes: [{ seq: 5n, epoch: 4n, clients: ['mimi://b.example/d/bob/tablet'], welcome: randomBytes(90) }],
}
const same = (one: Uint8Array, other: Uint8Array) => expect(Buffer.from(one).toString('hex')).toBe(Buffer.from(other).toString('hex'))

it('write the same batch', () => {
  const bytes = notifyBatch(batch, { signedAtMs: 9n, keyId: 'h1', signature: randomBytes(64) })
  const decoded = decodeNotifyBatch(bytes)
  if (decoded.kind === 'malformed') throw new Error(decoded.reason)
  same(encodeNotifyBatch(decoded.value), bytes)
})

it.each(['none', 'retired'] as const)('sign the same head, with a gap that is %s', (gap) => {
  const sent = { ...batch, gap }
  const decoded = decodeNotifyBatch(notifyBatch(sent, { signedAtMs: 9n, keyId: 'h1', signature: randomBytes(64) }))
  if (decoded.kind === 'malformed') throw new Error(decoded.reason)
  let chain: Uint8Array = productStart(batch.groupId, batch.incarnation)
  const rows = batch.entries.map(({ kind, epoch, message }, index) => {
    const [seq, hash] = [batch.firstSeq + BigInt(index), sha256(message)]
    if (index > 0 || gap === 'none') chain = extendChain(chain, { seq, kind, epoch, hash })
    return { seq, kind: LETTER_OF_KIND[kind], epoch, hash, chain: Buffer.from(chain) }
  })
  same(signedHeadBytes(productHead(decoded.value, rows, parties, 9n)), headBytes(headOf(sent, { ...parties, at: 9n })))
})

it('write and sign the same receipts', () => {
  const deletion = { room: ROOM, groupId: batch.groupId, incarnation: 3, entries: 4n, at: 5n }
  const deleted = decodeDeletionReceipt(deletionReceipt(deletion, 'h1', randomBytes(64)))
  if (deleted.kind === 'malformed') throw new Error(deleted.reason)
  same(receiptBytes(parties, deleted.value), deletionBytes(parties, deletion))
  const of = { user: 'mimi://a.example/u/ann', eraser: 'b.example' }
  const erasure = { id: randomBytes(32), at: 5n }
  const erased = decodeErasureReceipt(erasureReceipt(erasure, 'h1', randomBytes(64)))
  if (erased.kind === 'malformed') throw new Error(erased.reason)
  same(erasureReceiptBytes(of, erased.value), erasureBytes(of, erasure))
})
