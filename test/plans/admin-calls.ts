import { block, blockedBy, withholdReplica } from '../../src/groups/blocks/blocks.repository.js'
import { setDelivery } from '../../src/groups/delivery/delivery-choice.repository.js'
import { banUser, dismissAdmin, makeAdmin, replacePolicy, unbanUser } from '../../src/groups/policy/policy.repository.js'
import { noteRemoval } from '../../src/groups/removal/removal.repository.js'
import type { Sql } from '../../src/platform/postgres/sql.js'
import { BIG, hash, newGroup, several, user } from './inputs.js'
import { SIZES } from './plan-database.js'

/** What admins change, who becomes one, who learns of a leave, and who blocks a group: calls of HOT_CALLS. */
export const ADMIN_CALLS: Readonly<Record<string, { call: (sql: Sql) => Promise<unknown>; rows?: number }>> = {
  'changes by an admin': {
    call: async (sql) => {
      const [gid, admin, other] = [BIG, 2n, 1n]
      await makeAdmin(sql, gid, admin, other)
      await replacePolicy(sql, gid, admin, { ...newGroup, version: 1n })
      await dismissAdmin(sql, gid, admin, other)
      await banUser(sql, gid, admin, other)
      await unbanUser(sql, gid, admin, other)
    },
  },
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
      await sql.query({ text: 'SELECT FROM blockers_among(p_devices => $1, p_user => 2)', values: [several(100, (n) => BigInt(n))] })
    },
    rows: 100,
  },
  // Looks through the device's inbox.
  'a group blocked': { call: (sql) => setDelivery(sql, hash('group 1'), { deviceId: 1n, userId: 1n }, 'blocked'), rows: 500 },
  'a group of others that is not blocked': {
    call: (sql) => setDelivery(sql, hash('group 1'), { deviceId: 9_998n, userId: 9_998n }, 'blocked'),
  },
  // Tells each member.
  'a leave that members get a notice of': {
    call: (sql) => noteRemoval(sql, { domain: 'localhost', gid: BIG, deviceId: 1n, reason: 'leave' }),
    rows: SIZES.members,
  },
  // Looks for the heir among all members.
  'rights that fall to a member': {
    call: async (sql) => {
      await sql.query({ text: 'DELETE FROM group_admin WHERE gid = $1', values: [BIG] })
      await sql.query({ text: 'SELECT settle_admins(p_gid => $1)', values: [BIG] })
    },
    rows: SIZES.members,
  },
}
