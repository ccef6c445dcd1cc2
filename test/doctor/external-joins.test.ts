import { expect, it } from '@jest/globals'
import { useTestDatabase } from '../support/database.js'
import { examined, soundSettings } from './doctor-fixture.js'

const database = useTestDatabase()

it('the doctor tells of the groups that let devices in without a member, by number and newest ids', async () => {
  const { pool } = database
  expect((await examined(soundSettings(database.url))).of('external joins')).toEqual([
    'ok: No group lets devices in that its members have not let in.',
  ])
  const policies = [
    'same-user public',
    'same-user private',
    'same-user private',
    'open public',
    'open private',
    'code private',
    'none public',
  ]
  for (const [index, policy] of policies.entries()) {
    const [join, mode] = policy.split(' ')
    await pool.query(
      `WITH made AS (INSERT INTO groups (group_id, mode, cipher_suite, epoch, head_chain, room_id)
                     VALUES ($1, $2, 1, 0, '', $1::bytea::text) RETURNING gid)
       INSERT INTO group_policy (gid, external_join, add_members, remove_members, reports_to_reset)
       SELECT gid, $3, 'members', 'members', 3 FROM made`,
      [Buffer.from(`group ${index}`), mode, join],
    )
  }
  const ids = (...numbers: number[]) => numbers.map((number) => Buffer.from(`group ${number}`).toString('base64url')).join(', ')
  const { of } = await examined(soundSettings(database.url))
  expect(of('external joins')).toEqual([
    `warning: 1 private group lets devices join without a member (external_join open): ${ids(4)}. Their admins can set it to none.`,
    `warning: 2 private groups let devices join without a member (external_join same-user): ${ids(2, 1)}. Their admins can set it to none.`,
    `warning: 1 public group lets devices join without a member (external_join same-user): ${ids(0)}. Their admins can set it to none.`,
  ])
})
