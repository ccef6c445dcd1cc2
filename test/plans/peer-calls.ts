import { purgeForeignUsers } from '../../src/authentication/directory/foreign-devices.repository.js'
import { appendEntries } from '../../src/federation/follower/replica/replica.repository.js'
import { forgetReplica, newReplicas } from '../../src/federation/quotas/forgotten-replicas.repository.js'
import { judgeReplicaBytes, raiseTaken, takenUp } from '../../src/federation/quotas/replica-storage.repository.js'
import type { Sql } from '../../src/platform/postgres/sql.js'
import { hash } from './inputs.js'

/** What other providers have stored here: calls of HOT_CALLS. */
export const PEER_CALLS: Readonly<Record<string, { call: (sql: Sql) => Promise<unknown>; rows?: number }>> = {
  'a batch of a hub': {
    call: async (sql) => {
      const wanted = { gid: 13n, hub: 'hub13.example', joining: undefined, bytes: 1_000, entries: 1, isFirst: false, welcomed: [777n] }
      // Room for nothing of a new group: how far it was taken up is asked, too.
      await judgeReplicaBytes(sql, wanted, [1, 1, 10_000, 10_000, 10_000, 10_000, 10_000, 10, 10, 10])
      await appendEntries(sql, 13n, [
        { seq: 900n, kind: 'a', epoch: 1n, acceptedAt: new Date(), hash: hash('x'), chain: hash('y'), bytes: hash('z') },
      ])
      await takenUp(sql, 0n, 10)
      await raiseTaken(sql, 13n)
    },
  },
  'a replica that nobody has taken up': {
    call: async (sql) => {
      const after = { kept: 86_400_000, read: 86_400_000 }
      await newReplicas(sql, 0n, 10, after)
      // Of the stage of which nobody is: its members have left, and there is nothing for them to read.
      await sql.query('UPDATE replica_storage SET stage = 0 WHERE gid = 13')
      await sql.query('UPDATE member SET read_until = from_seq - 1 WHERE gid = 13 AND until_seq IS NULL')
      await sql.query("UPDATE log SET accepted_at = now() - interval '9 days' WHERE gid = 13")
      if (!(await forgetReplica(sql, 13n, after))) throw new Error('the replica was not forgotten')
    },
  },
  'users of other providers that nothing names': {
    call: async (sql) => {
      await sql.query(`WITH a AS (INSERT INTO account (user_uri) VALUES ('mimi://x.example/u/x') RETURNING id)
                       INSERT INTO foreign_user (account_id, fetched_at, look_at) SELECT id, now(), now() - interval '1 second' FROM a`)
      await sql.query("UPDATE foreign_user SET look_at = now() - interval '1 second' WHERE account_id = 50")
      await purgeForeignUsers(sql, 10)
    },
  },
}
