import { beforeAll, expect, it } from '@jest/globals'
import { KeyMaterialForwarder } from '../../src/federation/key-material/key-material-forwarder.js'
import { KeyMaterialUnavailable } from '../../src/federation/key-material/key-material.problems.js'
import { encodeKeyMaterialResponse } from '../../src/protocol/mimi/key-material.js'
import { newKeyPackageMessage, newSignatureKey } from '../support/key-packages.js'

const ANN = 'mimi://b.example/u/ann'
const PHONE = 'mimi://b.example/d/ann/phone'
const EVE = 'mimi://b.example/d/eve/phone'
let [ofAnn, ofEve] = [new Uint8Array(), new Uint8Array()]
beforeAll(async () => {
  // Without the frame of an MLSMessage: version and wire format.
  const bytes = async (client: string) => (await newKeyPackageMessage({ client, suite: 1, key: await newSignatureKey(1) })).slice(4)
  ;[ofAnn, ofEve] = await Promise.all([bytes(PHONE), bytes(EVE)])
})

/** @returns whose KeyPackages the hub remembers after an answer of the target's provider */
async function forwarded(user: string, client: string, keyPackage: Uint8Array): Promise<unknown> {
  const answer = encodeKeyMaterialResponse({ userStatus: 'success', user, clients: [{ status: 'success', client, keyPackage }] })
  const refs: unknown[] = []
  const query = async ({ name, values }: { name: string; values: unknown[] }) => {
    if (name === 'record_foreign_refs') refs.push(values[1])
    return { rows: [{ client, deviceId: 7n, userId: 1n, revoked: false }] }
  }
  const asked = { send: async () => ({ kind: 'answered', status: 200, body: answer }) }
  const devices = { introduce: async () => undefined }
  const config = { KEY_PACKAGE_MAX_AGE: 86_400_000 }
  const forwarder = new KeyMaterialForwarder({ query } as never, config, devices as never, asked as never)
  await forwarder.forward('b.example', { targetUser: ANN } as never, new Uint8Array())
  return refs
}

it('remembers whose the KeyPackages are that it passes on', async () => {
  expect(await forwarded(ANN, PHONE, ofAnn)).toEqual([[7n]])
})

it.each<[string, () => Promise<unknown>]>([
  ['another client', () => forwarded(ANN, PHONE, ofEve)],
  ['another user', () => forwarded('mimi://b.example/u/eve', EVE, ofEve)],
  ['nobody', () => forwarded(ANN, PHONE, ofAnn.subarray(1))],
])('passes no KeyPackage on that is of %s', async (_whose, ask) => {
  await expect(ask()).rejects.toThrow(KeyMaterialUnavailable)
})
