import { beforeAll, expect, it } from '@jest/globals'
import { KeyMaterialForwarder } from '../../src/federation/key-material/key-material-forwarder.js'
import { KeyMaterialUnavailable, relayedKeyMaterialProblem } from '../../src/federation/key-material/key-material.problems.js'
import type { Problem } from '../../src/platform/http/problem.js'
import { encodeKeyMaterialResponse } from '../../src/protocol/mimi/key-material.js'
import { newKeyPackageMessage, newSignatureKey } from '../support/key-packages.js'

const ANN = 'mimi://b.example/u/ann'
const PHONE = 'mimi://b.example/d/ann/phone'
const ROOM = 'mimi://a.example/r/club'
const EVE = 'mimi://b.example/d/eve/phone'
let [ofAnn, ofEve] = [new Uint8Array(), new Uint8Array()]
beforeAll(async () => {
  // Without the frame of an MLSMessage: version and wire format.
  const bytes = async (client: string) => (await newKeyPackageMessage({ client, suite: 1, key: await newSignatureKey(1) })).slice(4)
  ;[ofAnn, ofEve] = await Promise.all([bytes(PHONE), bytes(EVE)])
})

/** @returns for which room and whose KeyPackages the hub remembers after an answer of the target's provider */
async function forwarded(user: string, client: string, keyPackage: Uint8Array): Promise<unknown> {
  const answer = encodeKeyMaterialResponse({ userStatus: 'success', user, clients: [{ status: 'success', client, keyPackage }] })
  const refs: unknown[] = []
  const query = async ({ name, values }: { name: string; values: unknown[] }) => {
    if (name === 'record_foreign_refs') refs.push([values[0], values[2]])
    return { rows: [{ client, deviceId: 7n, userId: 1n, revoked: false }] }
  }
  const asked = { send: async () => ({ kind: 'answered', status: 200, body: answer }) }
  const devices = { introduce: async () => undefined }
  const vouched = { vouchKeyPackages: async () => undefined }
  const config = { DOMAIN: 'a.example', KEY_PACKAGE_MAX_AGE: 86_400_000 }
  const forwarder = new KeyMaterialForwarder({ query } as never, config, devices as never, asked as never, vouched as never)
  await forwarder.forward('b.example', { targetUser: ANN, roomId: ROOM } as never, new Uint8Array())
  return refs
}

it('remembers whose the KeyPackages are that it passes on, and for which room', async () => {
  expect(await forwarded(ANN, PHONE, ofAnn)).toEqual([[ROOM, [7n]]])
})

it.each<[string, () => Promise<unknown>]>([
  ['another client', () => forwarded(ANN, PHONE, ofEve)],
  ['another user', () => forwarded('mimi://b.example/u/eve', EVE, ofEve)],
  ['nobody', () => forwarded(ANN, PHONE, ofAnn.subarray(1))],
])('passes no KeyPackage on that is of %s', async (_whose, ask) => {
  await expect(ask()).rejects.toThrow(KeyMaterialUnavailable)
})

/** What the hub a.example makes of an answer of b.example, asked for a user of c.example. */
async function madeOf(answer: unknown): Promise<unknown> {
  const asked = { send: async () => answer }
  const forwarder = new KeyMaterialForwarder(
    { query: async () => ({ rows: [] }) } as never,
    { DOMAIN: 'a.example', KEY_PACKAGE_MAX_AGE: 1 },
    {} as never,
    asked as never,
    {} as never,
  )
  const request = { targetUser: ANN, requestingUser: 'mimi://c.example/u/carl' }
  return forwarder
    .forward('b.example', request as never, new Uint8Array())
    .catch((thrown: Problem) => ({ type: thrown.type, ...thrown.extension }))
}

const refused = (status: number, problem: string, body: object = {}) => ({
  kind: 'answered',
  status,
  problem: `urn:microchat:problem:${problem}`,
  body: Buffer.from(JSON.stringify(body)),
})
const UNAVAILABLE = { type: 'key-material-unavailable', provider: 'b.example' }

it.each<[string, unknown, object]>([
  ['its own settings do not admit', { kind: 'denied', detail: '' }, { type: 'providers-apart', by: 'a.example', provider: 'b.example' }],
  ['does not admit it', refused(403, 'peer-denied'), { type: 'providers-apart', by: 'b.example', provider: 'a.example' }],
  [
    'does not admit the requester',
    refused(403, 'providers-apart', { by: 'b.example', provider: 'c.example' }),
    { type: 'providers-apart', by: 'b.example', provider: 'c.example' },
  ],
  ['names providers that are not concerned', refused(403, 'providers-apart', { by: 'b.example', provider: 'd.example' }), UNAVAILABLE],
  ['names no provider', refused(403, 'providers-apart', { by: 7 }), UNAVAILABLE],
  ['does not answer', { kind: 'unreachable', detail: '' }, UNAVAILABLE],
  ['is asked too often', { ...refused(429, 'rate-limited'), retryAfter: '7' }, { type: 'rate-limited', retry_after: 7 }],
  ['fails', refused(500, 'internal'), UNAVAILABLE],
  ['answers what is no response', { kind: 'answered', status: 200, body: Uint8Array.of(1) }, UNAVAILABLE],
])('names the provider and the reason where the provider of the user %s', async (_what, answer, expected) => {
  expect(await madeOf(answer)).toEqual(expected)
})

it('learns so from the hub of the room, and names the provider of the user itself', () => {
  const answer = refused(503, 'key-material-unavailable', { provider: 'evil.example' }) as never
  expect(relayedKeyMaterialProblem(answer, { target: 'b.example', all: [] })).toMatchObject({
    type: 'key-material-unavailable',
    status: 503,
    extension: { provider: 'b.example' },
  })
})
