import { followStop } from '../../src/federation/follower/replica/replica.repository.js'
import { banUser, dismissAdmin, makeAdmin, replacePolicy, unbanUser } from '../../src/groups/policy/policy.repository.js'
import { deleteRemains } from '../../src/groups/delete/remains.repository.js'
import { followGroup } from '../../src/groups/home/homes.repository.js'
import { noteRemoval } from '../../src/groups/removal/removal.repository.js'
import { createGroup, deleteGroup, isGroupIdTaken } from '../../src/groups/repository/groups.repository.js'
import { addReport } from '../../src/groups/reset/reports.repository.js'
import { freezeGroup, hintsOfFrozen, undoReset } from '../../src/groups/reset/resets.repository.js'
import { assignRoom } from '../../src/groups/rooms/room-administration.repository.js'
import { readSuccession } from '../../src/groups/rooms/rooms.repository.js'
import type { Sql } from '../../src/platform/postgres/sql.js'
import { aMember, BIG, hash, newGroup } from './inputs.js'
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
  // Tells the members of the group before.
  'a reset and a successor': {
    rows: 20,
    call: async (sql) => {
      await freezeGroup(sql, 9n, { reporterId: 1n }, 0)
      await freezeGroup(sql, 9n, null, 60)
      const { rows } = await sql.query<{ admin: bigint }>('SELECT user_id AS admin FROM group_admin WHERE gid = 9')
      const { admin } = rows[0]!
      const creator = { deviceId: await aMember(sql, 9n), userId: admin }
      const made = await createGroup(sql, { ...newGroup, ...creator, successorOf: hash('group 9'), policyVersion: 1n })
      const undone = await undoReset(sql, 9n, admin)
      if (made.kind !== 'accepted' || undone.successor !== made.gid) throw new Error(`${made.kind}, ${undone.kind}`)
    },
  },
  // Each has a row in the inbox of every member, which goes and comes.
  'a reset, its end, and the freeze that a hub tells of': {
    call: async (sql) => {
      await freezeGroup(sql, BIG, { adminId: 2n }, 60)
      await hintsOfFrozen(sql, BIG)
      await undoReset(sql, BIG, 2n)
      await followStop(sql, BIG, { frozen: 'reset', successor: Buffer.from('next') })
    },
    rows: 3 * SIZES.members,
  },
  // Counts the users among all members.
  'a reset by reports': {
    call: async (sql) => {
      await addReport(sql, BIG, 100n, 1n, 'other')
      await freezeGroup(sql, BIG, { reporterId: 1n }, 60)
    },
    rows: 3 * SIZES.members,
  },
  'what a room has had': {
    call: async (sql) => {
      await readSuccession(sql, BIG)
      await isGroupIdTaken(sql, Buffer.from('nobody has it'))
      await followGroup(sql, { mlsGroupId: Buffer.from('nobody has it'), hub: 'b.example', roomId: 'mimi://b.example/r/7' }, 'joined')
      await assignRoom(sql, 'mimi://localhost/r/7', { groupId: null, adminId: 3n, grace: 60 })
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
