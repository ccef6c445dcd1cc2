import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { purgeForeignUsers, recordForeignUser, unconfirmedAmong } from '../../src/authentication/directory/foreign-devices.repository.js'
import { ForeignUserRecords } from '../../src/federation/hub/foreign-user-records.js'
import { ForeignDevices } from '../../src/federation/hub/foreign-devices.js'
import { encodeCbor } from '../../src/platform/http/encode.js'
import { Metrics } from '../../src/platform/observability/metrics.js'
import { transaction } from '../../src/platform/postgres/sql.js'
import { useTestDatabase } from '../support/database.js'

const database = useTestDatabase()
const PEER = { domain: 'b.example' }
const user = (name: string) => `mimi://b.example/u/${name}`
const client = (name: string, device: string) => `mimi://b.example/d/${name}/${device}`
const key = () => Buffer.from(generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }).x ?? '', 'base64url')
const told = (name: string, device: string, keys: number, revoked_at?: number) => ({
  client: client(name, device),
  ...(revoked_at !== undefined && { revoked_at }),
  signature_keys: Array.from({ length: keys }, () => ({ public_key: key(), valid_from: 1 })),
})

/** A hub that gets the answers of the test, and counts its questions. */
function hub(answer: () => object[]) {
  const asked: string[] = []
  const send = async ({ argument }: { argument: string }) => {
    asked.push(argument)
    return { kind: 'answered', status: 200, body: encodeCbor({ devices: answer() }) }
  }
  const limits = { take: async () => undefined }
  const hints = { publish: () => undefined }
  const lists = { ask: async () => undefined }
  const records = new ForeignUserRecords(database.pool, names as never, new Metrics())
  return { asked, devices: new ForeignDevices(records, lists as never, { send } as never, limits as never, hints as never) }
}

const BOUNDS = { devicesOfUser: 3, usersOfPeer: 1_000, devicesOfPeer: 1_000 }
const names = { claimElsewhere: () => Promise.resolve() }

it('a device that its provider leaves out is not vouched for, until it is named again', async () => {
  const keys = () => [{ publicKey: key(), validFrom: new Date(0), validUntil: null }]
  const [phone, laptop] = ['phone', 'laptop'].map((device) => ({ client: client('ann', device), revokedAt: null, keys: keys() }))
  const record = (devices: (typeof phone)[]) =>
    transaction(database.pool, (sql) =>
      recordForeignUser(
        sql,
        user('ann'),
        { devices: devices.flatMap((one) => one ?? []), wanted: new Set([client('ann', 'phone'), client('ann', 'laptop')]) },
        BOUNDS,
        names as never,
      ),
    )
  const open = async () => {
    const claims = [phone, laptop].map((one) => ({ client: one!.client }))
    return (await unconfirmedAmong(database.pool, claims, 60_000)).map((claim) => claim.client)
  }
  await Promise.all([record([phone, laptop]), record([laptop, phone])])
  expect(await open()).toEqual([])
  expect(await record([phone])).toEqual([])
  expect(await open()).toEqual([laptop!.client])
  await record([phone, laptop])
  expect(await open()).toEqual([])
})

it('of a long list the device is taken that was asked for, and some of its keys', async () => {
  const gone = Array.from({ length: 300 }, (_, index) => told('eve', `old${index}`, 0, 1))
  const { devices } = hub(() => [...gone, told('eve', 'phone', 40), told('eve', 'tablet', 1), told('mallory', 'phone', 1)])
  await devices.introduce([{ client: client('eve', 'phone') }])
  const { rows } = await database.pool.query<{ devices: bigint; keys: bigint }>(
    `SELECT count(DISTINCT d.id) AS devices, count(k.public_key) AS keys FROM device d LEFT JOIN foreign_signature_key k ON k.device_id = d.id
      WHERE d.client_uri LIKE 'mimi://b.example/d/eve/%' OR d.client_uri LIKE '%mallory%'`,
  )
  expect(rows).toEqual([{ devices: 1n, keys: 16n }])
  await expect(devices.caller(PEER, client('eve', 'phone'))).resolves.toMatchObject({ user: user('eve') })
})

it('word of revocations is looked up together, and none is lost', async () => {
  let revoked: number | undefined
  const { asked, devices } = hub(() => [told('zoe', 'phone', 1, revoked)])
  const say = () => devices.refresh(PEER, client('zoe', 'phone'))
  await devices.introduce([{ client: client('zoe', 'phone') }])
  await say()
  const soon = say()
  revoked = 1
  await Promise.all([soon, ...Array.from({ length: 20 }, say)])
  expect(asked).toHaveLength(3)
  await expect(devices.caller(PEER, client('zoe', 'phone'))).rejects.toMatchObject({ type: 'client-unknown' })
})

it('a provider that leaves a device out is asked again before its client is refused', async () => {
  let known = true
  const { asked, devices } = hub(() => (known ? [told('max', 'phone', 1)] : []))
  await devices.caller(PEER, client('max', 'phone'))
  known = false
  await devices.refresh(PEER, client('max', 'phone'))
  await expect(devices.caller(PEER, client('max', 'phone'))).rejects.toMatchObject({ type: 'client-unknown' })
  known = true
  await devices.caller(PEER, client('max', 'phone'))
  expect(asked).toHaveLength(4)
})

it('devices of one user that are asked for at the same time are all written down', async () => {
  const names = Array.from({ length: 5 }, (_, number) => `device${number}`)
  const { devices } = hub(() => names.map((name) => told('many', name, 1)))
  await Promise.all(names.map((name) => devices.introduce([{ client: client('many', name) }])))
  for (const name of names) await expect(devices.caller(PEER, client('many', name))).resolves.toMatchObject({ user: user('many') })
})

it('a notice about a user whom nobody here knows asks nobody', async () => {
  const { asked, devices } = hub(() => [told('stranger', 'phone', 1)])
  await devices.refresh(PEER, client('stranger', 'phone'))
  expect(asked).toEqual([])
})

describe('what is written down of other providers’ users', () => {
  const write = (name: string, clients: string[], bounds = BOUNDS) =>
    transaction(database.pool, (sql) => {
      const devices = clients.map((device) => ({ client: client(name, device), revokedAt: null, keys: [] }))
      return recordForeignUser(sql, user(name), { devices, wanted: new Set(devices.map((one) => one.client)) }, bounds, names as never)
    })
  const devicesOf = async (name: string) =>
    (await database.pool.query('SELECT FROM device WHERE client_uri LIKE $1', [`mimi://b.example/d/${name}/%`])).rowCount
  const due = () => database.pool.query("UPDATE foreign_user SET look_at = now() - interval '1 second'")
  const counted = async () =>
    (
      await database.pool.query(
        `SELECT foreign_users = (SELECT count(*) FROM foreign_user) AS users, foreign_devices = (SELECT count(*) FROM device) AS devices
           FROM peer_storage WHERE domain = 'b.example'`,
      )
    ).rows[0]

  it('is bounded for one user in all, not only for one answer', async () => {
    for (let device = 0; device < 10; device++) await write('hoarder', [`d${device}`])
    expect(await devicesOf('hoarder')).toBe(3)
  })

  it('is nothing where nobody asked for a device', async () => {
    await transaction(database.pool, (sql) =>
      recordForeignUser(
        sql,
        user('unasked'),
        { devices: [{ client: client('unasked', 'phone'), revokedAt: null, keys: [] }], wanted: new Set() },
        BOUNDS,
        names as never,
      ),
    )
    expect((await database.pool.query('SELECT FROM account WHERE user_uri = $1', [user('unasked')])).rowCount).toBe(0)
  })

  it('is bounded for one provider, also for many at the same time', async () => {
    const { rows } = await database.pool.query<{ users: number }>(
      "SELECT foreign_users AS users FROM peer_storage WHERE domain = 'b.example'",
    )
    const bounds = { ...BOUNDS, usersOfPeer: rows[0]!.users + 3 }
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, (_, n) => write(`crowd${n}`, ['phone'], bounds)))
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(3)
    expect(await counted()).toEqual({ users: true, devices: true })
  })

  it('goes when nothing names it any more, and stays with a membership, a block or a consent', async () => {
    await write('gone', ['phone', 'tablet'])
    await write('member', ['phone', 'tablet'])
    await write('blocked', ['phone'])
    await write('asking', ['phone'])
    await database.pool.query(
      'INSERT INTO member (device_id, gid, from_seq, join_epoch, acked) SELECT id, 1, 1, 1, 0 FROM device WHERE client_uri = $1',
      [client('member', 'phone')],
    )
    await database.pool.query('INSERT INTO user_block (blocker, blocked) VALUES ($1, $2)', ['mimi://a.example/u/alice', user('blocked')])
    await database.pool.query("INSERT INTO consent (target, requester, room, state) VALUES ($1, $2, '', 'requested')", [
      'mimi://a.example/u/alice',
      user('asking'),
    ])
    await due()
    await purgeForeignUsers(database.pool, 1_000)
    const left = await database.pool.query<{ user: string }>('SELECT user_uri AS user FROM account ORDER BY 1')
    expect(left.rows.map((row) => row.user)).toEqual([user('asking'), user('blocked'), user('member')])
    expect(await devicesOf('member')).toBe(1)
    expect(await counted()).toEqual({ users: true, devices: true })
  })

  it('stays while somebody uses it', async () => {
    const { devices } = hub(() => [told('busy', 'phone', 1)])
    await devices.caller(PEER, client('busy', 'phone'))
    await due()
    await devices.caller(PEER, client('busy', 'phone'))
    await purgeForeignUsers(database.pool, 1_000)
    expect(await devicesOf('busy')).toBe(1)
  })

  it('tells no inbox of devices: nobody here reads those of another provider’s user', async () => {
    await write('quiet', ['one', 'two', 'three'])
    const { rowCount } = await database.pool.query("SELECT FROM inbox WHERE kind IN ('device.added', 'device.revoked')")
    expect(rowCount).toBe(0)
  })
})
