import { markRevoked } from '../../src/authentication/devices/devices.repository.js'
import { clientsOf, resolveClients } from '../../src/authentication/directory/directory.repository.js'
import { readDeviceStatuses, readSessionDevices } from '../../src/authentication/session/device-statuses.repository.js'
import { disableAccount } from '../../src/authentication/accounts/accounts.repository.js'
import { writeAcks } from '../../src/delivery/acks/acks.repository.js'
import { appendMessages } from '../../src/delivery/append/append.repository.js'
import { readInbox } from '../../src/delivery/inbox/inbox.repository.js'
import { readDevice } from '../../src/delivery/read/device-log.repository.js'
import { devicesTouched, readGroup } from '../../src/delivery/read/group-log.repository.js'
import { findReadableLog, firstSeqOfEpoch, userWasThere } from '../../src/delivery/read/history.repository.js'
import { readMemberships } from '../../src/delivery/read/memberships.repository.js'
import { deleteOldTrees } from '../../src/delivery/retention/group-storage.repository.js'
import { purgeExpiredWelcomes } from '../../src/delivery/retention/welcomes.repository.js'
import { readDeviceNews } from '../../src/delivery/sweep/device-news.repository.js'
import { readHeads, readInboxIds, readRecentHeads } from '../../src/delivery/sweep/sweep.repository.js'
import { advanceCursor, dueGroups, peersOf } from '../../src/federation/push/cursors.repository.js'
import { readRosterChanges, readRun, readWelcomes } from '../../src/federation/push/outgoing.repository.js'
import { placeOf } from '../../src/federation/follower/arrival/place.repository.js'
import { lockReplica } from '../../src/federation/follower/replica/replica.repository.js'
import { presentAmong } from '../../src/groups/access/members.repository.js'
import { readForSubmission, readGroupAndStanding } from '../../src/groups/access/access.repository.js'
import { readAdminsAndBans } from '../../src/groups/policy/policy.repository.js'
import { pendingRemovals, unproposedRemovals } from '../../src/groups/removal/removal.repository.js'
import { createGroup, deleteGroup, findGroup } from '../../src/groups/repository/groups.repository.js'
import { freezeGroup } from '../../src/groups/reset/resets.repository.js'
import { submitCommit, submitProposal } from '../../src/groups/repository/submissions.repository.js'
import { addReport, findReadCommit } from '../../src/groups/reset/reports.repository.js'
import { groupsOf, knowsRoom } from '../../src/groups/rooms/rooms.repository.js'
import { devicesOfLeaves, unregisteredAmong } from '../../src/groups/roster/roster.repository.js'
import { publishSenderKey, standingOfPost } from '../../src/groups/sealed/sender-keys.repository.js'
import { purgeKeyPackages, storeKeyPackages } from '../../src/key-packages/key-packages.repository.js'
import type { Sql } from '../../src/platform/postgres/sql.js'
import { countTokens, keepAnswer } from '../../src/tokens/issue/quotas.repository.js'
import { ADMIN_CALLS } from './admin-calls.js'
import { USER_CALLS } from './user-calls.js'
import { hash, several, BIG, EPOCH, HEAD, LIMITS, user, message, commit, newGroup, keyPackage, batch, sealed } from './inputs.js'
import { SIZES } from './plan-database.js'
import * as log from '../../src/groups/repository/log.repository.js'

/**
 * What happens most, and what calls the functions, against the big group wherever there is one: name → the call. Each statement may look at as
 * many pages and throw as many rows away as executed.test.ts says; with `rows`, the call by its nature reads that many more.
 */
export const HOT_CALLS: Readonly<Record<string, { call: (sql: Sql) => Promise<unknown>; rows?: number }>> = {
  'messages of 32 members': {
    call: (sql) =>
      appendMessages(
        sql,
        several(32, (n) => ({ gid: BIG, deviceId: BigInt(n), epoch: EPOCH, ...message(`m ${n}`) })),
        5,
        0,
      ),
  },
  'the same message again': {
    call: (sql) => appendMessages(sql, [{ gid: BIG, deviceId: 1n, epoch: EPOCH, hash: hash('1 77'), bytes: Buffer.from('x') }], 5, 0),
  },
  'a message without a sender': {
    call: (sql) => appendMessages(sql, [{ gid: 2n, deviceId: null, epoch: 1n, sealed, ...message('s') }], 5, 0),
  },
  'a Commit': { call: (sql) => submitCommit(sql, commit), rows: 4 },
  'a Commit of a joiner whom a member has certified': {
    call: (sql) => submitCommit(sql, { ...commit, external: true, vouchers: several(16, (n) => `mimi://localhost/d/${n}/1`) }),
    rows: 2,
  },
  'a Commit that adds a member elsewhere': {
    call: (sql) => submitCommit(sql, { ...commit, added: [{ deviceId: 9n, welcome: 0 }], domain: 'elsewhere' }),
    rows: SIZES.members,
  },
  'a Proposal': {
    call: (sql) =>
      submitProposal(sql, {
        gid: BIG,
        incarnation: 1,
        deviceId: 1n,
        mustBeMember: true,
        epoch: EPOCH,
        ...message('p'),
        pending: { deviceId: 1n, leafIndex: 1, reason: 'leave' },
        judgedBy: { policyVersion: 1n, lastHandshake: HEAD },
        added: { ref: hash('joiner'), deviceId: 1n, cipherSuite: 1, expiresAt: new Date(Date.now() + 1_000_000) },
      }),
  },
  'a group': { call: (sql) => createGroup(sql, newGroup) },
  'a deletion': { call: (sql) => deleteGroup(sql, 'localhost', 8n) },
  'a new incarnation': { call: (sql) => sql.query({ text: 'UPDATE groups SET incarnation = 2 WHERE gid = $1', values: [5n] }) },
  'a revoked device': { call: (sql) => markRevoked(sql, 2n, [3n]) },
  'a disabled account': { call: (sql) => disableAccount(sql, user(3)) },
  'a sender key': { call: (sql) => publishSenderKey(sql, { gid: BIG, deviceId: 1n, userId: 1n, epoch: EPOCH, publicKey: hash('k') }, 5) },
  'the standing of a sealed post': {
    call: (sql) =>
      standingOfPost(
        sql,
        { groupId: hash('group 1'), epoch: EPOCH, publicKey: hash('1'), hash: hash('h'), issuerKey: 1, nonce: hash('n') },
        5,
      ),
  },
  // Looks through the device's inbox.
  'an upload': { call: (sql) => storeKeyPackages(sql, 1n, [keyPackage], { max: 100, low: 5 }), rows: 500 },
  'a purge of KeyPackages': { call: (sql) => purgeKeyPackages(sql, { limit: 100, low: 5 }), rows: SIZES.devices / 100 },
  'a purge of Welcomes': { call: (sql) => purgeExpiredWelcomes(sql, BIG, new Date(Date.now() + 40 * 86_400_000), 100), rows: 500 },
  'old trees of a group': { call: (sql) => deleteOldTrees(sql, 3n, 0, 10) },
  'send tokens': {
    call: async (sql) => {
      await countTokens(sql, batch, 10, new Date())
      await keepAnswer(sql, batch, Buffer.alloc(9), 4)
    },
  },
  'acks of 100 members': {
    call: (sql) =>
      writeAcks(
        sql,
        several(100, (n) => ({ deviceId: BigInt(n), gid: BIG, incarnation: 1, seq: HEAD })),
        false,
      ),
    rows: 100,
  },
  'a page of a device': {
    call: (sql) =>
      readDevice(
        sql,
        1n,
        several(8, (n) => ({ gid: BigInt(n), fromSeq: 1n, after: 3n })),
        LIMITS,
      ),
  },
  'a page of a group': { call: (sql) => readGroup(sql, BIG, HEAD - 300n, LIMITS) },
  'whom a Commit touched': { call: (sql) => devicesTouched(sql, BIG, 5_000n, 5_100n) },
  'memberships of a device in 2,000 groups': { call: (sql) => readMemberships(sql, 1n) },
  'memberships of a device that left 2,000 groups': { call: (sql) => readMemberships(sql, 2n), rows: SIZES.groupsOfOne },
  'an inbox of 2,000': { call: (sql) => readInbox(sql, 3n, [], 50, 100_000) },
  history: { call: (sql) => findReadableLog(sql, hash('group 1'), 1n) },
  'whether a user was in a group': { call: (sql) => userWasThere(sql, BIG, 1n) },
  'the first entry of an epoch': { call: (sql) => firstSeqOfEpoch(sql, BIG, EPOCH - 5n) },
  'the sweep of a node': {
    call: async (sql) => {
      await readHeads(
        sql,
        several(1_000, (n) => BigInt(n)),
      )
      await readInboxIds(
        sql,
        several(1_000, (n) => BigInt(n)),
        10,
      )
      await readDeviceNews(sql, 1n << 40n)
    },
    rows: 2_000,
  },
  'the global sweep': { call: (sql) => readRecentHeads(sql, 0n, 1_000, 60_000), rows: 1_000 },
  'what a submission is judged by': {
    call: (sql) => readForSubmission(sql, hash('group 1'), { deviceId: 1n, userId: 1n }, { hash: hash('nothing'), outside: true }),
  },
  'what a submission again is answered': {
    call: (sql) => readForSubmission(sql, hash('group 1'), { deviceId: 1n, userId: 1n }, { hash: hash('1 77'), outside: false }),
  },
  'what a stale device missed': { call: (sql) => log.readMissedHandshakes(sql, BIG, 1n, EPOCH - 3n) },
  'handshakes to replay': { call: (sql) => log.readHandshakes(sql, BIG, HEAD - 300n, EPOCH, 100) },
  'handshakes by hash': {
    call: (sql) =>
      log.readHandshakesByHash(
        sql,
        BIG,
        1n,
        several(10, (n) => hash(`1 ${n * 50}`)),
      ),
  },
  'the Commit of an epoch': { call: (sql) => log.readCommitOf(sql, BIG, EPOCH - 2n) },
  'proposals of an epoch': { call: (sql) => log.readPublicProposals(sql, BIG, EPOCH, 0n) },
  'where a user stands': { call: (sql) => readGroupAndStanding(sql, hash('group 1'), { deviceId: 1n, userId: 1n }) },
  'who is present': {
    call: (sql) =>
      presentAmong(
        sql,
        BIG,
        several(50, (n) => BigInt(n)),
      ),
  },
  ...ADMIN_CALLS,
  ...USER_CALLS,
  'whether a user knows a room': { call: (sql) => knowsRoom(sql, 'mimi://localhost/r/77', 3n) },
  'admins and bans': { call: (sql) => readAdminsAndBans(sql, BIG) },
  'groups of a device': { call: (sql) => groupsOf(sql, 1n, 0n, 100) },
  'a report': {
    call: async (sql) => {
      await addReport(sql, BIG, 100n, 1n, 'invalid')
      await freezeGroup(sql, BIG, { reporterId: 1n }, 0)
      await findReadCommit(sql, BIG, 1n, 100n)
    },
    // More than half of the users who were members then.
    rows: 3 * SIZES.members,
  },
  'keys of a Commit': {
    call: (sql) =>
      unregisteredAmong(
        sql,
        several(20, (n) => ({ deviceId: BigInt(n), publicKey: hash(`key ${n} 1`) })),
      ),
  },
  'pending removals': {
    call: async (sql) => {
      await pendingRemovals(sql, 50n)
      await readForSubmission(sql, hash('group 50'), { deviceId: 2n, userId: 2n }, { hash: hash('nothing'), outside: true })
    },
  },
  'removals to propose': { call: (sql) => unproposedRemovals(sql, 100), rows: SIZES.devices / 20 },
  'a group by its id': { call: (sql) => findGroup(sql, hash('group 1')) },
  'devices of a request, and of a Commit': {
    call: async (sql) => {
      await readDeviceStatuses(
        sql,
        several(20, (n) => BigInt(n)),
      )
      await readSessionDevices(
        sql,
        several(20, (n) => `mimi://localhost/d/${n}/1`),
      )
      await clientsOf(
        sql,
        several(20, (n) => BigInt(n)),
      )
      const clients = several(20, (n) => `mimi://localhost/d/${n}/1`)
      await resolveClients(sql, clients)
      const leaves = clients.map((client, n) => ({ client, publicKey: n % 2 ? null : hash(`key ${n + 1} 1`) }))
      await devicesOfLeaves(sql, BIG, leaves)
    },
  },
  'what is due to a peer': {
    call: async (sql) => {
      await dueGroups(sql, 'peer3.example', 0n, 10)
      await peersOf(sql, [BIG])
    },
    rows: SIZES.groups / 500,
  },
  'a push to a peer': {
    call: async (sql) => {
      await readRun(sql, BIG, 5_000n, HEAD, LIMITS)
      await readRosterChanges(sql, 'peer0.example', BIG, 5_000n, 5_100n)
      await readWelcomes(sql, 'peer0.example', BIG, 5_000n, 5_100n)
      await advanceCursor(sql, { domain: 'peer3.example', gid: BIG }, 5_100n, 1)
    },
  },
  'a replica': {
    call: async (sql) => {
      await lockReplica(sql, { hub: 'hub13.example', mlsGroupId: hash('group 13') })
      await placeOf(sql, { hub: 'peer0.example', groupId: hash('group 13') })
    },
  },
}
