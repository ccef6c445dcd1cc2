import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals'
import { findGroup } from '../../src/groups/repository/groups.repository.js'
import { PublicStates } from '../../src/groups/state/public-states.js'
import type { GroupInfo } from '../../src/protocol/mls/structures/group-info.js'
import { serialize } from '../../src/protocol/public-group/snapshot.js'
import { treeBytes } from '../../src/protocol/public-group/state.js'
import { TlsWriter } from '../../src/protocol/tls/writer.js'
import { HttpDevice, UNLIMITED } from '../key-packages/http-device-fixture.js'
import { createTestDatabase, type TestDatabase } from '../support/database.js'
import { startServer, type TestServer } from '../support/server.js'
import { describeVectors, fromHex } from '../support/vectors.js'
import { beginningOf, follow, HISTORIES, type History } from './support/history.js'

let database: TestDatabase
let server: TestServer
/** A node that has seen no request, and knows what is in the database. */
let other: TestServer
let driver: HttpDevice

beforeAll(async () => {
  database = await createTestDatabase()
  const settings = { ...UNLIMITED, CONFORMANCE: 'on', MAX_GROUP_INFO_BYTES: '2MiB' }
  server = await startServer(settings, { database })
  other = await startServer(settings, { database })
  driver = await HttpDevice.register(server.url, { encoding: 'cbor' })
})
afterAll(async () => {
  await server?.close()
  await other?.close()
  await database?.drop()
})

/** The group at the epoch of the Welcome, then every Proposal and Commit, all by the API. */
async function submit(history: History, path: string): Promise<void> {
  const { groupInfo, tree } = beginningOf(history)
  await driver.http.post('/v1/groups', { group_info: messageOf(groupInfo), ratchet_tree: tree, policy: { external_join: 'none' } })
  for (const { proposals, commit } of history.epochs) {
    for (const proposal of proposals) await driver.http.post(`${path}/proposals`, { proposal: fromHex(proposal) })
    await driver.http.post(`${path}/commits`, { commit: fromHex(commit) })
  }
}

/** MLSMessage, version mls10, wire format mls_group_info (RFC 9420 §6). */
function messageOf(groupInfo: GroupInfo): Uint8Array {
  return new TlsWriter().uint16(1).uint16(4).raw(groupInfo.tbs).opaque(groupInfo.signature).written()
}

async function stateAt(node: TestServer, groupId: Uint8Array) {
  const group = await findGroup(node.pool, groupId)
  if (!group) throw new Error('The group is not there')
  return (await node.app.get(PublicStates, { strict: false }).at(group)).state
}

/** Some histories are of groups with the same id, which no server takes twice. */
afterEach(() => database.pool.query('UPDATE groups SET group_id = gen_random_uuid()::text::bytea'))

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

for (const name of HISTORIES) {
  describeVectors<History>(name, (histories) => {
    const cases = histories.map((history, index) => ({ index, suite: history.cipher_suite, epochs: history.epochs.length, history }))
    it.each(cases)('$index (suite $suite) is followed by the API through $epochs epochs', async ({ history }) => {
      const { groupId, epoch } = beginningOf(history).groupInfo.groupContext
      const path = `/v1/groups/${Buffer.from(groupId).toString('base64url')}`
      await submit(history, path)
      const reached = Number(epoch) + history.epochs.length
      expect(await driver.http.get(path)).toMatchObject({ epoch: reached })

      // Epoch, tree, tree hash and transcript hashes, as they are without a server around them.
      const { state } = await follow(history)
      expect(Number(state.groupContext.epoch)).toBe(reached)
      const here = await stateAt(server, groupId)
      expect(hex(here.groupContext.bytes)).toBe(hex(state.groupContext.bytes))
      expect(hex(serialize(here))).toBe(hex(serialize(state)))
      expect(hex(serialize(await stateAt(other, groupId)))).toBe(hex(serialize(state)))
      const { ratchet_tree } = await driver.http.get<{ ratchet_tree: Uint8Array }>(`${path}/tree`)
      expect(hex(ratchet_tree)).toBe(hex(treeBytes(state)))
    })
  })
}
