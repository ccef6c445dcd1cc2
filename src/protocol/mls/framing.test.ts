import { expect, it } from '@jest/globals'
import { mutate, Random } from '../../../test/fuzz/mutate.js'
import { COMMIT, forge, GROUP_INFO, KEY_PACKAGE, privateMessage, PROPOSAL, WELCOME } from '../../../test/support/mimi-samples.js'
import { decoded } from '../../../test/support/mls/follower.js'
import { forgeKeyPackage, newKey } from '../../../test/support/mls/forge.js'
import { byValue, proposals } from '../../../test/support/mls/proposals.js'
import { framed } from '../mimi/common.js'
import { compareFraming } from './framing.js'
import { decodeMessage, type MlsMessage } from './message.js'

const joiner = newKey()
const joining = [byValue(proposals.externalInit())]
const byJoiner = { sender: { kind: 'new-member-commit' }, key: joiner } as const
const SAMPLES: Readonly<Record<string, Uint8Array>> = {
  proposal: PROPOSAL,
  commit: COMMIT,
  'external commit': await forge.commit(joining, await forge.path(joining, joiner), 0, byJoiner),
  'application message': privateMessage('application'),
  'private commit': privateMessage('commit', Buffer.alloc(300, 7)),
  welcome: WELCOME,
  'group info': GROUP_INFO,
  'key package': framed('key-package', KEY_PACKAGE),
  'key package of another suite': framed('key-package', await forgeKeyPackage(newKey(2), 'mimi://b.example/d/bob/laptop', 2)),
}
const read = (bytes: Uint8Array): MlsMessage => decoded(decodeMessage(bytes))

it.each(Object.entries(SAMPLES))('both readers see the same in a %s, and also where it lies in the middle of a buffer', (_name, bytes) => {
  expect(compareFraming(read(bytes))).toEqual({ kind: 'agreed' })
  const around = Buffer.concat([Buffer.alloc(13, 0xff), bytes, Buffer.alloc(7, 0xff)])
  expect(compareFraming(read(around.subarray(13, 13 + bytes.length)))).toEqual({ kind: 'agreed' })
})

const moved = (slice: Uint8Array) => new Uint8Array(slice.buffer, slice.byteOffset - 1, slice.length)
/** The strict reader's answer, altered in one field, as if it had read another value there. */
const MISREADINGS: [string, string, (message: never) => object][] = [
  ['proposal', 'groupId', ({ groupId }: { groupId: Uint8Array }) => ({ groupId: moved(groupId) })],
  ['proposal', 'epoch', () => ({ epoch: 77n })],
  ['proposal', 'sender', () => ({ sender: { kind: 'member', leafIndex: 77 } })],
  ['proposal', 'sender', () => ({ sender: { kind: 'external', senderIndex: 0 } })],
  ['external commit', 'sender', () => ({ sender: { kind: 'new-member-proposal' } })],
  ['proposal', 'authenticatedData', ({ groupId }: { groupId: Uint8Array }) => ({ authenticatedData: groupId })],
  ['commit', 'contentType', () => ({ content: { kind: 'proposal' } })],
  ['application message', 'groupId', ({ groupId }: { groupId: Uint8Array }) => ({ groupId: groupId.subarray(1) })],
  ['application message', 'epoch', () => ({ epoch: 77n })],
  ['application message', 'contentType', () => ({ contentType: 'commit' })],
  ['application message', 'authenticatedData', ({ ciphertext }: { ciphertext: Uint8Array }) => ({ authenticatedData: ciphertext })],
  ['application message', 'encryptedSenderData', ({ ciphertext }: { ciphertext: Uint8Array }) => ({ encryptedSenderData: ciphertext })],
  ['application message', 'ciphertext', ({ ciphertext }: { ciphertext: Uint8Array }) => ({ ciphertext: ciphertext.subarray(1) })],
  ['welcome', 'cipherSuite', () => ({ cipherSuite: 2 })],
  ['group info', 'signer', () => ({ signer: 77 })],
  ['group info', 'signature', ({ signature }: { signature: Uint8Array }) => ({ signature: moved(signature) })],
  ['group info', 'confirmationTag', ({ signature }: { signature: Uint8Array }) => ({ confirmationTag: signature })],
  ['group info', 'epoch', ({ groupContext }: { groupContext: object }) => ({ groupContext: { ...groupContext, epoch: 77n } })],
  ['group info', 'cipherSuite', ({ groupContext }: { groupContext: object }) => ({ groupContext: { ...groupContext, cipherSuite: 2 } })],
  ['group info', 'groupId', ({ groupContext }: { groupContext: object }) => ({ groupContext: { ...groupContext, groupId: GROUP_INFO } })],
  ['group info', 'treeHash', ({ groupContext }: { groupContext: object }) => ({ groupContext: { ...groupContext, treeHash: GROUP_INFO } })],
  ['key package', 'cipherSuite', () => ({ cipherSuite: 2 })],
  ['key package', 'initKey', ({ signature }: { signature: Uint8Array }) => ({ initKey: signature })],
  ['key package', 'signature', ({ initKey }: { initKey: Uint8Array }) => ({ signature: initKey })],
  [
    'key package',
    'encryptionKey',
    ({ leafNode, initKey }: { leafNode: object; initKey: Uint8Array }) => ({ leafNode: { ...leafNode, encryptionKey: initKey } }),
  ],
  [
    'key package',
    'signatureKey',
    ({ leafNode, initKey }: { leafNode: object; initKey: Uint8Array }) => ({ leafNode: { ...leafNode, signatureKey: initKey } }),
  ],
  [
    'key package',
    'credentialType',
    ({ leafNode }: { leafNode: object }) => ({ leafNode: { ...leafNode, credential: { kind: 'x509', certificates: [] } } }),
  ],
  ['key package', 'source', ({ leafNode }: { leafNode: object }) => ({ leafNode: { ...leafNode, source: { kind: 'update' } } })],
  [
    'key package',
    'leafSignature',
    ({ leafNode, signature }: { leafNode: object; signature: Uint8Array }) => ({ leafNode: { ...leafNode, signature } }),
  ],
]

it.each(MISREADINGS)('a %s whose %s one reader reads differently is noticed (%#)', (name, field, alter) => {
  const message = read(SAMPLES[name]!)
  const misread = { ...message, body: { ...message.body, ...alter(message.body as never) } } as MlsMessage
  expect(compareFraming(misread)).toEqual({ kind: 'disagreed', field })
})

it.each(['application message', 'welcome', 'group info', 'key package'])('a %s that one reader ends earlier is noticed', (name) => {
  const message = read(SAMPLES[name]!)
  const longer = { ...message, bytes: Buffer.concat([message.bytes, Buffer.of(0)]) }
  expect(compareFraming(longer).kind).toBe('disagreed')
  const whole = { ...message, bytes: new Uint8Array(message.bytes.buffer, message.bytes.byteOffset, message.bytes.length - 1) }
  expect(compareFraming(whole)).toEqual({ kind: 'disagreed', field: 'message' })
})

it('what ts-mls cannot read at all is a disagreement, not an exception', () => {
  const message = read(PROPOSAL)
  for (const bytes of [
    new Uint8Array(),
    Uint8Array.of(0, 9),
    Uint8Array.of(0, 1, 0, 1),
    Uint8Array.of(0, 1, 0, 1, 0xff),
    Buffer.of(0, 1, 0, 3, 0, 1, 0xc0),
  ])
    expect(compareFraming({ ...message, bytes })).toEqual({ kind: 'disagreed', field: 'message' })
})

/** Enough that every kind of message is accepted more than a hundred times after a change. */
const MUTATIONS = 20_000

it('of whatever the strict reader accepts, ts-mls sees the same framing', () => {
  const random = new Random(16)
  const corpus = Object.values(SAMPLES)
  const accepted = new Map<string, number>()
  for (let count = 0; count < MUTATIONS; count++) {
    const result = decodeMessage(mutate(random.pick(corpus), random, corpus))
    if (result.kind === 'malformed') continue
    const { wireFormat, bytes } = result.value
    const verdict = compareFraming(result.value)
    if (verdict.kind !== 'agreed') throw new Error(`They disagree on ${verdict.field} of ${Buffer.from(bytes).toString('hex')}`)
    accepted.set(wireFormat, (accepted.get(wireFormat) ?? 0) + 1)
  }
  for (const wireFormat of ['public-message', 'private-message', 'welcome', 'group-info', 'key-package'])
    expect([wireFormat, (accepted.get(wireFormat) ?? 0) > 100]).toEqual([wireFormat, true])
})
