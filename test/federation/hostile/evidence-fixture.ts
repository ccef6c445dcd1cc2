import { expect } from '@jest/globals'
import { Batches } from '../../../src/federation/push/batches.js'
import { ProviderKeys } from '../../../src/federation/identity/provider-keys.js'
import { rotateProviderKey } from '../../../src/federation/identity/provider-key-rotation.js'
import { Secrets } from '../../../src/platform/secrets.js'
import type { FederatedWorld } from '../../support/federated-world.js'
import type { Provider } from '../../support/federation.js'
import { callPeer } from '../../support/peer-call.js'
import { agreed, heard, type World } from '../../support/world.js'
import { headBytes, headOf, notifyBatch, uint, type Batch, type Entry, type Head } from './peer/log.js'
import { opaque } from './peer/tls.js'

/** An application message with nothing in it that anybody could read. */
export function noise(groupId: Uint8Array, epoch: bigint, text: string): Entry {
  const [nothing, content] = [opaque(''), opaque(text)]
  const message = Buffer.concat([Buffer.of(0, 1, 0, 2), opaque(groupId), uint(epoch, 8), Buffer.of(1), nothing, content, content])
  return { kind: 'application', epoch, message }
}

/** A Proposal in the open, of a type that nobody knows. */
export function strangeProposal(groupId: Uint8Array, epoch: bigint): Entry {
  const sender = Buffer.of(1, 0, 0, 0, 0)
  const proposal = Buffer.from('42421234567890', 'hex')
  const message = Buffer.concat([Buffer.of(0, 1, 0, 1), opaque(groupId), uint(epoch, 8), sender, opaque(''), Buffer.of(2), proposal])
  return { kind: 'proposal', epoch, message }
}

/** A group of alice at the hub with bob at the follower, whose lane is held: from now on the test speaks for the hub. */
export async function heldGroup(federated: FederatedWorld, texts: readonly string[] = ['one', 'two', 'three']) {
  const [home, away] = federated.worlds as [World, World]
  const [hub, follower] = federated.providers as [Provider, Provider]
  const [[alice], [bob]] = await Promise.all([home.cast('alice'), away.cast('bob')])
  const group = await home.group(alice, [bob])
  await agreed([bob], group)
  for (const text of texts) await group.send(text)
  await heard([bob], group, [...texts])
  const { groupId } = group.record
  const { rows } = await hub.pool.query<{ gid: bigint }>('SELECT gid FROM groups WHERE group_id = $1', [groupId])
  await hub.pool.query("UPDATE peer_cursor SET stopped = 'by the test' WHERE gid = $1", [rows[0]!.gid])
  const log = await hub.pool.query<{ seq: bigint; kind: string; epoch: bigint; bytes: Buffer; chain: Buffer }>(
    'SELECT seq, kind, epoch, bytes, chain FROM log WHERE gid = $1 ORDER BY seq',
    [rows[0]!.gid],
  )
  const outgoing = await hub.app.get(Batches).next(follower.domain, rows[0]!.gid, { after: 0n })
  const { batch: honest } = outgoing!
  const kinds: Record<string, Entry['kind']> = { c: 'commit', p: 'proposal', a: 'application' }
  const entries = log.rows.map(({ kind, epoch, bytes }): Entry => ({ kind: kinds[kind]!, epoch, message: bytes }))
  /** What the hub would push after `seq`. */
  const after = (seq: bigint): Batch => ({
    groupId: Buffer.from(groupId),
    room: honest.roomId,
    mode: honest.mode,
    suite: honest.cipherSuite,
    incarnation: honest.incarnation,
    postFloor: 0n,
    gap: 'none',
    firstSeq: seq + 1n,
    previousChain: log.rows[Number(seq) - 1]!.chain,
    entries: entries.slice(Number(seq)),
    roster: [],
    welcomes: [],
  })
  return { hub, follower, alice, bob, group, after, groupId, epoch: log.rows.at(-1)!.epoch, headSeq: BigInt(log.rows.length) }
}

/** Pushes whatever it is given, with the head that belongs to it, but for what is wrong with that. @returns status, and what the follower says */
export async function push(hub: Provider, follower: Provider, batch: Batch, wrong: Partial<Head> = {}) {
  const head = { ...headOf(batch, { hub: hub.domain, follower: follower.domain, at: BigInt(Date.now()) }), ...wrong }
  const { keyId, signature } = await hub.app.get(ProviderKeys).signBytes(headBytes(head))
  const body = notifyBatch(batch, { signedAtMs: head.signedAtMs, keyId, signature })
  const answer = await callPeer(hub, follower, { endpoint: 'notify', argument: batch.room, body })
  const problem = /urn:microchat:problem:([a-z-]+)/.exec(Buffer.from(answer.body).toString('latin1'))?.[1]
  return { status: answer.status, said: answer.status === 200 ? ['received', 'have', 'stopped'][answer.body[0]!] : problem }
}

export interface KeptEvidence {
  id: bigint
  kind: string
  document: string | null
  stops: boolean
  why: string
}

/** What the follower has kept about the group, the oldest first. */
export async function evidenceOf(follower: Provider, groupId: Uint8Array): Promise<KeptEvidence[]> {
  const { rows } = await follower.pool.query<KeptEvidence>(
    'SELECT id, kind, document, stops, why FROM evidence WHERE group_id = $1 ORDER BY id',
    [groupId],
  )
  return rows
}

/** The hub signs with another key from now on, and the follower knows. @param overlapMs how long the old one stays published */
export async function rotate(hub: Provider, follower: Provider, overlapMs: number): Promise<void> {
  const before = await hub.app.get(ProviderKeys).signer()
  await rotateProviderKey(hub.pool, hub.app.get(Secrets, { strict: false }), 0, overlapMs)
  Object.assign(hub.app.get(ProviderKeys), { loaded: undefined })
  await follower.pool.query("UPDATE peer SET fetched_at = now() - interval '2 hours' WHERE domain = $1", [hub.domain])
  const after = await hub.app.get(ProviderKeys).signer()
  expect(after.keyId).not.toBe(before.keyId)
}
