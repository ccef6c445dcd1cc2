import { createHash, sign } from 'node:crypto'
import { evidenceFile, evidenceHead, seededKey, signedDirectory, type SeededKey } from '../hostile/peer/evidence.js'
import {
  chains,
  deletionBytes,
  deletionReceipt,
  deleteRoomRequest,
  erasureBytes,
  erasureReceipt,
  headBytes,
  headOf,
  initialChain,
  notifyBatch,
  uint,
  type Batch,
  type Entry,
} from '../hostile/peer/log.js'
import { opaque } from '../hostile/peer/tls.js'

// Everything that is signed between two providers, from fixed seeds and times, by the codec of the hostile peer: written from the page alone.

const NOW = 1_795_744_000
const [HUB, FOLLOWER] = ['a.example', 'b.example']
const ROOM = `mimi://${HUB}/r/club`
const hubKey = seededKey('k1', Buffer.alloc(32, 1))
const hubsNext = seededKey('k2', Buffer.alloc(32, 2))
const followerKey = seededKey('k1', Buffer.alloc(32, 3))
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const signed = (bytes: Uint8Array, { privateKey }: SeededKey): Buffer => sign(null, bytes, privateKey)

function keys() {
  return [
    { provider: HUB, seed: hex(Buffer.alloc(32, 1)), kid: hubKey.keyId, x: hubKey.x },
    { provider: HUB, seed: hex(Buffer.alloc(32, 2)), kid: hubsNext.keyId, x: hubsNext.x },
    { provider: FOLLOWER, seed: hex(Buffer.alloc(32, 3)), kid: followerKey.keyId, x: followerKey.x },
  ]
}

const ENDPOINTS = {
  notify: 'https://chat.a.example/mimi/v1/notify?roomId={roomId}',
  log: 'https://chat.a.example/mimi/v1/log?roomId={roomId}',
}
const directory = (issued: number, ...named: SeededKey[]) =>
  signedDirectory(HUB, named, { issued, expires: issued + 604_800 }, { more: { endpoints: ENDPOINTS } })

/** One signature (RFC 9421) of the page, from the values of its components in their order. */
function signature(components: readonly [string, string][], parameters: string, key: SeededKey) {
  const input = `(${components.map(([name]) => name).join(' ')})${parameters}`
  const base = [...components.map(([name, value]) => `${name}: ${value}`), `"@signature-params": ${input}`].join('\n')
  const value = signed(Buffer.from(base, 'latin1'), key).toString('base64')
  return { base, 'signature-input': `mimi=${input}`, signature: `mimi=:${value}:` }
}

const digestOf = (body: Uint8Array) => `sha-256=:${createHash('sha256').update(body).digest('base64')}:`
const parametersOf = (nonce: string, domain: string, tag: string) =>
  `;created=${NOW};expires=${NOW + 60};nonce="${nonce}";keyid="${domain}/k1";alg="ed25519";tag="${tag}"`

/** A follower asks for a log, and the hub says that there is nothing. */
function exchange() {
  const body = Buffer.concat([opaque(Buffer.from('deadbeef', 'hex')), uint(2, 8)])
  const query = `?roomId=${encodeURIComponent(ROOM)}`
  const target: [string, string][] = [
    ['"@method"', 'POST'],
    ['"@authority"', 'chat.a.example'],
    ['"@path"', '/mimi/v1/log'],
    ['"@query"', query],
  ]
  const content = (of: Uint8Array): [string, string][] => [
    ['"content-digest"', digestOf(of)],
    ['"content-type"', 'application/mimi'],
  ]
  const asked = signature(
    [...target, ['"from"', `mimi@${FOLLOWER}`], ['"mimi-target"', HUB], ...content(body)],
    parametersOf('bm9uY2Utbm9uY2Utbm9uY2U', FOLLOWER, 'mimi-request'),
    followerKey,
  )
  const answer = Buffer.of(0)
  const answered = signature(
    [
      ['"@status"', '200'],
      ['"from"', `mimi@${HUB}`],
      ['"mimi-target"', FOLLOWER],
      ...content(answer),
      ...target.map(([name, value]): [string, string] => [`${name};req`, value]),
      ['"content-digest";req', digestOf(body)],
      ['"signature";req;key="mimi"', asked.signature.replace('mimi=', '')],
    ],
    parametersOf('YW5zd2VyLWFuc3dlci1hbnM', HUB, 'mimi-response'),
    hubKey,
  )
  const url = `https://chat.a.example/mimi/v1/log${query}`
  return { request: { method: 'POST', url, body: hex(body), ...asked }, response: { status: 200, body: hex(answer), ...answered } }
}

const groupId = Buffer.from('deadbeef', 'hex')

/** A PrivateMessage of which nobody can read anything. */
function privateMessage(kind: 'application' | 'commit', epoch: bigint, text: string): Entry {
  const type = { application: 1, commit: 3 }[kind]
  const framing = [Buffer.of(0, 1, 0, 2), opaque(groupId), uint(epoch, 8), Buffer.of(type)]
  return { kind, epoch, message: Buffer.concat([...framing, opaque(''), opaque('sender data'), opaque(text)]) }
}

const BATCH: Batch = {
  groupId,
  room: ROOM,
  mode: 'private',
  suite: 1,
  incarnation: 1,
  postFloor: 0n,
  gap: 'none',
  firstSeq: 1n,
  previousChain: initialChain(groupId, 1),
  entries: [privateMessage('commit', 0n, 'a commit'), privateMessage('application', 1n, 'a message')],
  roster: [{ seq: 1n, joined: true, client: `mimi://${FOLLOWER}/d/bob/phone` }],
  welcomes: [
    {
      seq: 1n,
      epoch: 1n,
      clients: [`mimi://${FOLLOWER}/d/bob/phone`],
      welcome: Buffer.concat([Buffer.of(0, 1, 0, 3, 0, 1), opaque(''), opaque('group info')]),
    },
  ],
}
const PARTIES = { hub: HUB, follower: FOLLOWER }
const AT = BigInt(NOW) * 1_000n

function batch() {
  const head = headOf(BATCH, { ...PARTIES, at: AT })
  const bytes = headBytes(head)
  const { signature: value } = { signature: signed(bytes, hubKey) }
  const sent = { signedAtMs: AT, keyId: hubKey.keyId, signature: value }
  return {
    hub: HUB,
    follower: FOLLOWER,
    initial_chain: hex(initialChain(groupId, 1)),
    messages: BATCH.entries.map(({ message }) => hex(message)),
    chains: chains(BATCH).map(hex),
    signed_head: hex(bytes),
    head_signature: hex(value),
    notify_batch: hex(notifyBatch(BATCH, sent, NOW * 1000)),
  }
}

function receipts() {
  const deletion = { room: ROOM, groupId, incarnation: 1, entries: 2n, at: AT }
  const erasure = { id: Buffer.alloc(32, 7), at: AT }
  const of = { user: `mimi://${HUB}/u/alice`, eraser: FOLLOWER }
  const [deleted, erased] = [deletionBytes(PARTIES, deletion), erasureBytes(of, erasure)]
  return {
    deletion: {
      ...PARTIES,
      request: hex(deleteRoomRequest(ROOM, groupId, 1)),
      signed: hex(deleted),
      receipt: hex(deletionReceipt(deletion, followerKey.keyId, signed(deleted, followerKey))),
    },
    erasure: {
      ...of,
      request: hex(Buffer.concat([opaque(of.user), opaque(erasure.id)])),
      signed: hex(erased),
      receipt: hex(erasureReceipt(erasure, followerKey.keyId, signed(erased, followerKey))),
    },
  }
}

/** Two histories, across a rotation of the hub's key. */
function evidence() {
  const other = { ...BATCH, entries: [BATCH.entries[0]!, privateMessage('application', 1n, 'another message')] }
  const directories = [directory(NOW - 1_000, hubKey), directory(NOW - 500, hubKey, hubsNext)]
  const parties = { ...PARTIES, at: AT }
  return evidenceFile('two-histories', HUB, directories, [evidenceHead(BATCH, parties, hubKey), evidenceHead(other, parties, hubsNext)])
}

export function makeVectors() {
  return {
    about:
      'Vectors of the profile microchat-2 (docs/federation-profile.md). Bytes are in hex, but in JSON Web Keys, the directory and the evidence.',
    keys: keys(),
    directory: directory(NOW - 1_000, hubKey),
    ...exchange(),
    batch: batch(),
    ...receipts(),
    evidence: evidence(),
  }
}
