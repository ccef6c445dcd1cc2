import { randomBytes } from 'node:crypto'
import { encodePrivateMessage } from './mls/encode.js'
import { Forge, forgeGroupInfo, forgeKeyPackage, forgeWelcome, newKey } from './mls/forge.js'
import { proposals } from './mls/proposals.js'
import { treeBytes } from '../../src/protocol/public-group/state.js'
import { encodeKeyMaterialRequest, keyMaterialRequestTbs } from '../../src/protocol/mimi/key-material.js'
import { encodeExtendedKeyMaterialRequest, extendedKeyMaterialTbs } from '../../src/protocol/mimi/microchat/key-material-request.js'
import { type NotifyBatch } from '../../src/protocol/mimi/microchat/notify-batch.js'

export const frame = (wireFormat: number, body: Uint8Array) => Buffer.concat([Buffer.of(0, 1, 0, wireFormat), body])
export const privateMessage = (contentType: 'application' | 'proposal' | 'commit', groupId: Uint8Array = Buffer.from('g')) =>
  frame(
    2,
    encodePrivateMessage({
      groupId,
      epoch: 1n,
      contentType,
      authenticatedData: new Uint8Array(),
      encryptedSenderData: randomBytes(16),
      ciphertext: randomBytes(32),
    }),
  )

export const forge = await Forge.group(2)
export const PROPOSAL = await forge.proposal(proposals.remove(1))
export const COMMIT = await forge.commit([], await forge.path([], 0))
export const GROUP_INFO = await forgeGroupInfo(forge.state.groupContext, forge.key(0), {})
export const WELCOME = forgeWelcome([randomBytes(32)])
export const KEY_PACKAGE = await forgeKeyPackage(newKey(1), 'mimi://b.example/d/bob/phone')
export const TREE = { kind: 'full', tree: treeBytes(forge.state) } as const
export const CREDENTIAL = { kind: 'basic', identity: Buffer.from('mimi://a.example/d/alice/phone') } as const
export const ACCEPTED = { seq: 7n, epoch: 4n, incarnation: 1, chain: randomBytes(32) }
export const COMMIT_UPDATE = { kind: 'commit', commit: COMMIT, welcome: WELCOME, groupInfo: GROUP_INFO, tree: TREE } as const
export const [ALICE, BOB, ROOM] = ['mimi://a.example/u/alice', 'mimi://b.example/u/bob', 'mimi://a.example/r/room']
export const NOTHING = new Uint8Array()

export const KEY_REQUEST = {
  requestingUser: ALICE,
  targetUser: BOB,
  roomId: ROOM,
  cipherSuites: [1, 2],
  required: { extensions: [3], proposals: [], credentials: [1] },
  signatureKey: randomBytes(32),
  credential: CREDENTIAL,
}
/** What binds it to its hub and its time. */
export const BINDING = { hub: 'a.example', madeAtMs: 1_800_000_000_000n, nonce: randomBytes(16) }
/** A whole request, of right form and signed by nobody. */
export const boundRequest = (change: Partial<typeof KEY_REQUEST> = {}, binding: Partial<typeof BINDING> = {}) =>
  encodeExtendedKeyMaterialRequest(
    extendedKeyMaterialTbs(encodeKeyMaterialRequest(keyMaterialRequestTbs({ ...KEY_REQUEST, ...change }), randomBytes(64)), {
      ...BINDING,
      ...binding,
    }),
    randomBytes(64),
  )
export const INFO_REQUEST = {
  cipherSuite: 1,
  signatureKey: randomBytes(32),
  credential: CREDENTIAL,
  groupInfoKey: randomBytes(32),
  joiningCode: Buffer.from('code'),
}
export const SEALED = {
  cipherSuite: 1,
  hubKey: randomBytes(32),
  hubCredential: CREDENTIAL,
  kemOutput: randomBytes(32),
  ciphertext: randomBytes(64),
}
export const BATCH: NotifyBatch = {
  groupId: Buffer.from('g'),
  roomId: ROOM,
  mode: 'public',
  cipherSuite: 1,
  incarnation: 1,
  postFloor: 2n,
  frozen: 'reinit',
  successor: Buffer.from('h'),
  gap: 'none',
  firstSeq: 5n,
  previousChain: randomBytes(32),
  entries: [
    { kind: 'commit', epoch: 3n, message: { acceptedAtMs: 9n, message: COMMIT, kind: 'commit', proposals: [] } },
    {
      kind: 'application',
      epoch: 4n,
      message: { acceptedAtMs: 9n, message: privateMessage('application'), kind: 'application', proposals: [] },
    },
  ],
  roster: [{ seq: 5n, change: 'left', ended: 'revoked', client: 'mimi://b.example/d/bob/phone' }],
  welcomes: [
    {
      seq: 5n,
      epoch: 4n,
      expiresAtMs: 10n,
      clients: ['mimi://b.example/d/bob/phone'],
      message: { acceptedAtMs: 0n, message: WELCOME, kind: 'welcome', tree: TREE, proposals: [] },
    },
  ],
  head: { signedAtMs: 7n, keyId: 'k1', signature: randomBytes(64) },
}
export const RECEIPT = {
  roomId: ROOM,
  groupId: Buffer.from('g'),
  incarnation: 1,
  deletedEntries: 5n,
  deletedAtMs: 6n,
  keyId: 'k1',
  signature: randomBytes(64),
}
