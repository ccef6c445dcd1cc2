import { block, blockedBy, withholdReplica } from '../../src/groups/blocks/blocks.repository.js'
import { setDelivery } from '../../src/groups/delivery/delivery-choice.repository.js'
import { leaveGroup } from '../../src/groups/removal/removal.repository.js'
import type { Sql } from '../../src/platform/postgres/sql.js'
import { BIG, hash, several, user } from './inputs.js'

/** What users decide for themselves: calls of HOT_CALLS. */
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
  // These look through the device's inbox.
  'a leave': { call: (sql) => leaveGroup(sql, BIG, 1n), rows: 500 },
  'a group blocked': { call: (sql) => setDelivery(sql, hash('group 1'), { deviceId: 1n, userId: 1n }, 'blocked'), rows: 500 },
  'a group of others that is not blocked': {
    call: (sql) => setDelivery(sql, hash('group 1'), { deviceId: 9_998n, userId: 9_998n }, 'blocked'),
  },
}
