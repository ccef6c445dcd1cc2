import { randomBytes } from 'node:crypto'
import { expect, it } from '@jest/globals'
import { DraftPlacements } from '../../src/federation/draft/follower/draft-placements.js'
import { takenAt } from '../../src/federation/draft/follower/draft-taken.repository.js'
import { recordForeignRefs } from '../../src/federation/hub/hub.repository.js'
import { findPassedOn, keepPassedOn } from '../../src/federation/key-material/passed-on.repository.js'
import { Unavailable } from '../../src/platform/http/problem.js'
import { sha256 } from '../../src/protocol/sha256.js'
import { useTestDatabase } from '../support/database.js'

const database = useTestDatabase()

async function device(): Promise<bigint> {
  const name = randomBytes(8).toString('hex')
  const { rows } = await database.pool.query<{ id: bigint }>(
    `WITH a AS (INSERT INTO account (user_uri) VALUES ('mimi://b.example/u/' || $1) RETURNING id)
     INSERT INTO device (account_id, client_uri) SELECT id, 'mimi://b.example/d/' || $1 || '/phone' FROM a RETURNING id`,
    [name],
  )
  return rows[0]!.id
}

async function handedOut(deviceId: bigint): Promise<Buffer> {
  const ref = randomBytes(32)
  await database.pool.query(
    `INSERT INTO key_package_claim (ref, device_id, cipher_suite, last_resort, expires_at) VALUES ($1, $2, 1, false, now() + interval '1 day')`,
    [ref, deviceId],
  )
  return ref
}

it('a KeyPackage that the provider of its user names twice in an answer is recorded once', async () => {
  const [ref, deviceId] = [randomBytes(32), await device()]
  const one = { ref, deviceId, cipherSuite: 1, expiresAt: new Date(Date.now() + 86_400_000) }
  await recordForeignRefs(database.pool, 'mimi://a.example/r/x', [one, one])
  const { rows } = await database.pool.query('SELECT device_id FROM key_package_claim WHERE ref = $1', [ref])
  expect(rows).toEqual([{ device_id: deviceId }])
})

it('of two nodes that answer the same request of a draft hub, the first one counts, until one of its KeyPackages was used', async () => {
  const { pool } = database
  const deviceId = await device()
  const hash = randomBytes(32)
  const answers = await Promise.all(
    ['first', 'second', 'third'].map(async (text) => ({ hash, refs: [await handedOut(deviceId)], answer: Buffer.from(text) })),
  )
  const [first, second, third] = answers as [(typeof answers)[0], (typeof answers)[0], (typeof answers)[0]]
  await keepPassedOn(pool, first)
  await keepPassedOn(pool, second)
  expect(await findPassedOn(pool, hash)).toEqual(first.answer)
  await pool.query('UPDATE key_package_claim SET used = true WHERE ref = $1', [first.refs[0]])
  await keepPassedOn(pool, third)
  expect(await findPassedOn(pool, hash)).toEqual(third.answer)
})

it('what a draft hub accepts at a time that no column holds is remembered, at this moment at the latest', async () => {
  const bytes = randomBytes(8)
  const replicas = { place: () => Promise.reject(new Unavailable('early')), gidOf: async () => undefined }
  const placements = new DraftPlacements(database.pool, replicas as never, {} as never)
  placements.beforeApplicationShutdown()
  const room = { roomId: 'mimi://b.example/r/x', hub: 'b.example' } as never
  const before = Date.now()
  await expect(placements.of(room, { bytes, kind: 'application', acceptedAtMs: 2n ** 64n - 1n } as never)).rejects.toThrow(Unavailable)
  const at = await takenAt(database.pool, 'mimi://b.example/r/x', sha256(bytes))
  expect(Number(at)).toBeGreaterThanOrEqual(before)
  expect(Number(at)).toBeLessThanOrEqual(Date.now())
})
