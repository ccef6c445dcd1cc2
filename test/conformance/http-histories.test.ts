import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals'
import { findGroup } from '../../src/groups/repository/groups.repository.js'
import { PublicStates } from '../../src/groups/state/public-states.js'
import type { GroupInfo } from '../../src/protocol/mls/structures/group-info.js'
import { serialize } from '../../src/protocol/public-group/snapshot.js'
import { treeBytes } from '../../src/protocol/public-group/state.js'
import { TlsWriter } from '../../src/protocol/tls/writer.js'
import { HttpDevice } from '../key-packages/http-device-fixture.js'
import { GENEROUS } from '../support/generous.js'
import { createTestDatabase, type TestDatabase } from '../support/database.js'
import { startServer, type TestServer } from '../support/server.js'
import { describeVectors, fromHex } from '../support/vectors.js'
import { beginningOf, follow, HISTORIES, type History } from './support/history.js'

let database: TestDatabase
let server: TestServer
/** A second node on the same database, which gets no requests. */
let idleNode: TestServer
let device: HttpDevice

beforeAll(async () => {
  database = await createTestDatabase()
  const settings = { ...GENEROUS, CONFORMANCE: 'on', MAX_GROUP_INFO_BYTES: '2MiB' }
  server = await startServer(settings, { database })
  idleNode = await startServer(settings, { database })
  device = await HttpDevice.register(server.url, { encoding: 'cbor' })
})
afterAll(async () => {
  await server?.close()
  await idleNode?.close()
  await database?.drop()
})

/** Creates the group at the epoch of the Welcome, then submits every Proposal and Commit over HTTP. */
async function submit(history: History, path: string): Promise<void> {
  const { groupInfo, tree } = beginningOf(history)
  await device.http.post('/v1/groups', { group_info: toMlsMessage(groupInfo), ratchet_tree: tree, policy: { external_join: 'none' } })
  for (const { proposals, commit } of history.epochs) {
    for (const proposal of proposals) await device.http.post(`${path}/proposals`, { proposal: fromHex(proposal) })
    await device.http.post(`${path}/commits`, { commit: fromHex(commit) })
  }
}

/** MLSMessage, version mls10, wire format mls_group_info (RFC 9420 §6). */
function toMlsMessage(groupInfo: GroupInfo): Uint8Array {
  return new TlsWriter().uint16(1).uint16(4).raw(groupInfo.tbs).opaque(groupInfo.signature).written()
}

async function stateAt(node: TestServer, groupId: Uint8Array) {
  const group = await findGroup(node.pool, groupId)
  if (!group) throw new Error('The group is not there')
  return (await node.app.get(PublicStates, { strict: false }).at(group)).state
}

/** Several histories share a group id, which a server accepts once, so each test renames its group. */
afterEach(() => database.pool.query('UPDATE groups SET group_id = gen_random_uuid()::text::bytea'))

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

for (const name of HISTORIES) {
  describeVectors<History>(name, (histories) => {
    const cases = histories.map((history, index) => ({ index, suite: history.cipher_suite, epochs: history.epochs.length, history }))
    it.each(cases)('$index (suite $suite) reaches the expected state over HTTP after $epochs epochs', async ({ history }) => {
      const { groupId, epoch } = beginningOf(history).groupInfo.groupContext
      const path = `/v1/groups/${Buffer.from(groupId).toString('base64url')}`
      await submit(history, path)
      const reached = Number(epoch) + history.epochs.length
      expect(await device.http.get(path)).toMatchObject({ epoch: reached })

      // Epoch, tree, tree hash and transcript hashes, as the library computes them without a server.
      const { state } = await follow(history)
      expect(Number(state.groupContext.epoch)).toBe(reached)
      const here = await stateAt(server, groupId)
      expect(hex(here.groupContext.bytes)).toBe(hex(state.groupContext.bytes))
      expect(hex(serialize(here))).toBe(hex(serialize(state)))
      expect(hex(serialize(await stateAt(idleNode, groupId)))).toBe(hex(serialize(state)))
      const { ratchet_tree } = await device.http.get<{ ratchet_tree: Uint8Array }>(`${path}/tree`)
      expect(hex(ratchet_tree)).toBe(hex(treeBytes(state)))
    })
  })
}
