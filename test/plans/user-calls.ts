import { desertedGroups, endLastMemberships, finishErasure } from '../../src/accounts/erasure/erasure.repository.js'
import { tellOfIdentity } from '../../src/authentication/identity-notices/identity-notices.repository.js'
import { deleteAccount, inheritName } from '../../src/authentication/accounts/deletion.repository.js'
import { listedCertificates } from '../../src/authentication/directory/leaf-certificates.repository.js'
import { dropUnwantedCopies, renewCopy, storeCopy } from '../../src/federation/device-lists/foreign-device-lists.repository.js'
import { block, blockedBy, withholdReplica } from '../../src/groups/blocks/blocks.repository.js'
import { setDelivery } from '../../src/groups/delivery/delivery-choice.repository.js'
import { acceptInvitation, invitationsOf, setAsked } from '../../src/groups/invitations/invitations.repository.js'
import { leaveGroup } from '../../src/groups/removal/removal.repository.js'
import { activeCertificates, hasDeviceList, presentNamed, readOwnList } from '../../src/groups/roster/certificates.repository.js'
import { devicesOfLeaves } from '../../src/groups/roster/roster.repository.js'
import { claimKeyPackages } from '../../src/key-packages/claims.repository.js'
import type { Sql } from '../../src/platform/postgres/sql.js'
import { encodeLeafCertificate } from '../../src/protocol/identity/leaf-certificate.js'
import { BIG, hash, several, user } from './inputs.js'

/** What users decide for themselves, and what they claim of others: calls of HOT_CALLS. */
export const USER_CALLS: Readonly<Record<string, { call: (sql: Sql) => Promise<unknown>; rows?: number }>> = {
  'a block that a list begins with': { call: (sql) => blockedBy(sql, user(1), '', 100) },
  'a Welcome in a replica of whom a user has blocked': {
    call: async (sql) => {
      await block(sql, user(1), user(2), 100)
      await withholdReplica(sql, BIG, [hash('claim 1 1')])
    },
  },
  'devices of users who have blocked an adder': {
    call: async (sql) => {
      await block(sql, user(1), user(2), 100)
      await sql.query({
        text: 'SELECT FROM blockers_among(p_devices => $1, p_user => 2)',
        values: [several(100, (n) => BigInt(n))],
      })
    },
    rows: 100,
  },
  'a claim of 20 devices': {
    call: (sql) =>
      claimKeyPackages(
        sql,
        several(20, (n) => BigInt(n)),
        { cipherSuites: [1], extensions: [], proposals: [], credentials: [1] },
        5,
      ),
  },
  'a claim of 20 devices by a stranger, for whom each keeps a KeyPackage back': {
    call: (sql) =>
      claimKeyPackages(
        sql,
        several(20, (n) => BigInt(n)),
        { cipherSuites: [1], extensions: [], proposals: [], credentials: [1] },
        5,
        { user: 'mimi://peer1.example/u/stranger', isStranger: true },
      ),
  },
  'invitations of a user': { call: (sql) => invitationsOf(sql, 1n, 0n, 100) },
  'a Commit that adds devices of a user who wants to be asked, who then accepts': {
    call: async (sql) => {
      await setAsked(sql, 1n, true)
      await sql.query({ text: 'SELECT hold_invitations(p_gid => $1, p_devices => $2, p_by => $3)', values: [BIG, [1n, 2n], [2n, 2n]] })
      await acceptInvitation(sql, hash('group 1'), 1n)
    },
  },
  'another identity of a user, and who hears of it': {
    call: async (sql) => {
      await sql.query({ text: 'UPDATE device_list SET identity = $1 WHERE account_id = 1', values: [hash('another')] })
      await tellOfIdentity(sql, 'localhost', 100)
    },
    rows: 2_500,
  },
  'the end of an account': {
    call: async (sql) => {
      const deleted = await deleteAccount(sql, { domain: 'x', accountId: 1n, erasureId: hash('erasure') })
      await endLastMemberships(sql, deleted?.devices ?? [], true)
      await desertedGroups(sql, deleted?.devices ?? [])
      await finishErasure(sql, 1n, { standIn: 'erased:1', afterMs: 0, keep: true })
      await inheritName(sql, 1n, 2n)
    },
    rows: 2_000,
  },
  // These look through the device's inbox.
  'a leave': { call: (sql) => leaveGroup(sql, BIG, 1n), rows: 500 },
  'a group blocked': { call: (sql) => setDelivery(sql, hash('group 1'), { deviceId: 1n, userId: 1n }, 'blocked'), rows: 500 },
  'a group of others that is not blocked': {
    call: (sql) => setDelivery(sql, hash('group 1'), { deviceId: 9_998n, userId: 9_998n }, 'blocked'),
  },
  'certificates of a Commit and of an upload': {
    call: async (sql) => {
      const shown = encodeLeafCertificate(hash('identity'), 3, hash('entry'), Buffer.alloc(0))
      const leaves = several(20, (n) => ({ client: `mimi://localhost/d/${n}/1`, publicKey: hash(`key ${n + 1} 1`), extension: shown }))
      await devicesOfLeaves(sql, BIG, leaves, true)
      await listedCertificates(sql, 1n, leaves, true)
      await activeCertificates(
        sql,
        several(20, (n) => BigInt(n)),
      )
      await hasDeviceList(sql, 1n)
    },
  },
  'the list of a user elsewhere, and those that nobody wants any more': {
    call: async (sql) => {
      const elsewhere = 'mimi://peer5.example/u/5'
      const copy = { identity: hash('identity'), identities: 2, entries: several(4, (n) => hash(`entry ${n}`)), head: hash('head') }
      await storeCopy(sql, elsewhere, { ...copy, ends: [null, 3, null, null] }, { wanted: true, mostBytes: 1e9 })
      await renewCopy(sql, elsewhere, { ...copy, ends: [null, 3, null, null] }, true)
      await dropUnwantedCopies(sql, 20)
    },
    rows: 20,
  },
  'by whom a joiner is certified': {
    call: async (sql) => {
      await readOwnList(sql, 1n, 1n)
      await presentNamed(
        sql,
        BIG,
        several(16, (n) => `mimi://localhost/d/${n}/1`),
      )
    },
  },
}
