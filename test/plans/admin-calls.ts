import { banUser, dismissAdmin, makeAdmin, replacePolicy, unbanUser } from '../../src/groups/policy/policy.repository.js'
import { deleteRemains } from '../../src/groups/delete/remains.repository.js'
import { noteRemoval } from '../../src/groups/removal/removal.repository.js'
import { deleteGroup } from '../../src/groups/repository/groups.repository.js'
import type { Sql } from '../../src/platform/postgres/sql.js'
import { BIG, newGroup } from './inputs.js'
import { SIZES } from './plan-database.js'

/** What admins change and delete, who becomes one, and who learns of a leave: calls of HOT_CALLS. */
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
  // Counts all entries, and deletes the first slice.
  'a deletion of the big group': { call: (sql) => deleteGroup(sql, 'localhost', BIG), rows: SIZES.bigGroup },
  'a slice of a deleted group': {
    call: async (sql) => {
      await sql.query({ text: 'INSERT INTO group_remains (gid, after_seq) VALUES ($1, 2000)', values: [BIG] })
      await deleteRemains(sql, BIG, 1_000)
    },
    rows: 1_000,
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
