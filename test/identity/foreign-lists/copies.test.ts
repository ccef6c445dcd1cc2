import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { deleteAccount } from '../../../src/authentication/accounts/deletion.repository.js'
import { ErasedNames } from '../../../src/authentication/accounts/erased-names.js'
import { recordForeignUser } from '../../../src/authentication/directory/foreign-devices.repository.js'
import { CHECKS_OF, endsIn, ListCopies } from '../../../src/federation/device-lists/list-copies.js'
import type { CheckedCopy } from '../../../src/federation/device-lists/foreign-device-lists.repository.js'
import { transaction } from '../../../src/platform/postgres/sql.js'
import { newName, UNLIMITED } from '../../authentication/device-fixture.js'
import { ListMaker, privateKey } from '../../support/mls/device-lists.js'
import { startServer, type TestServer } from '../../support/server.js'
import { eraseDeleted } from '../account-fixture.js'

const BOUNDS = { devicesOfUser: 200, usersOfPeer: 1_000, devicesOfPeer: 1_000 }
/** What a provider says of a user with one device, which somebody asked for. */
function onePhone(user: string) {
  const client = `${user.replace('/u/', '/d/')}/phone`
  return { devices: [{ client, revokedAt: null, keys: [] }], wanted: new Set([client]) }
}

const CLIENT = 'mimi://b.example/d/eve/phone'
const USER = 'mimi://b.example/u/eve'

let server: TestServer
beforeAll(async () => {
  server = await startServer(UNLIMITED)
})
afterAll(() => server.close())

const copyOf = (maker: ListMaker): CheckedCopy => ({
  identity: maker.identity,
  identities: 1,
  entries: [...maker.entries],
  head: Buffer.of(1),
  ends: maker.entries.map(() => null),
})
const PAYER = { limit: CHECKS_OF, key: 'b.example' }

describe('a list of a peer’s user that grows', () => {
  it('is held against what was checked before, signatures too', async () => {
    const copies = server.app.get(ListCopies, { strict: false })
    const maker = await ListMaker.begin(USER)
    const phone = await maker.certify(maker.root, CLIENT, privateKey())
    const copy = copyOf(maker)
    await expect(copies.check(USER, copy.entries, undefined, PAYER)).resolves.toMatchObject({ kind: 'valid' })
    await maker.certify(phone, `${CLIENT}2`, privateKey())
    await expect(copies.check(USER, maker.entries, copy, PAYER)).resolves.toMatchObject({ kind: 'valid' })
    const spoilt = maker.entries.map((entry) => entry.slice())
    spoilt[1]![spoilt[1]!.length - 1]! ^= 1
    // The hash chain leaves signatures out: it is the same in both.
    await expect(copies.check(USER, spoilt, copy, PAYER)).resolves.toEqual({ kind: 'broken', rule: 'entry-signature' })
    await maker.certify({ number: 3, key: privateKey() }, `${CLIENT}3`, privateKey())
    await expect(copies.check(USER, maker.entries, copy, PAYER)).resolves.toEqual({ kind: 'broken', rule: 'entry-signature' })
  })
})

describe('a banned user of a peer', () => {
  it('keeps the ban when the peer has it erased and its list is read before it comes back', async () => {
    const { pool } = server
    const [names, copies] = [server.app.get(ErasedNames, { strict: false }), server.app.get(ListCopies, { strict: false })]
    const user = `mimi://evil.example/u/${newName()}`
    const record = () => transaction(pool, (sql) => recordForeignUser(sql, user, onePhone(user), BOUNDS, names))
    const idOf = async () => (await pool.query<{ id: bigint }>('SELECT id FROM account WHERE user_uri = $1', [user])).rows[0]?.id
    await record()
    const accountId = (await idOf()) ?? 0n
    await transaction(pool, async (sql) => {
      await sql.query('INSERT INTO group_ban (gid, user_id) VALUES (4711, $1)', [accountId])
    })
    await transaction(pool, (sql) => deleteAccount(sql, { domain: 'localhost', accountId, erasureId: null }))
    await eraseDeleted(server)
    expect(await idOf()).toBeUndefined()
    await copies.keep(user, copyOf(await ListMaker.begin(user)), true)
    await record()
    expect((await pool.query('SELECT FROM group_ban WHERE user_id = $1', [await idOf()])).rowCount).toBe(1)
  })
})

describe('the copy of a list', () => {
  const lists = async (user: string) =>
    (
      await server.pool.query<{ number: number; ends: (number | null)[] }>(
        'SELECT f.number, f.ends FROM foreign_device_list f JOIN account a ON a.id = f.account_id WHERE a.user_uri = $1',
        [user],
      )
    ).rows

  it('is in the database only of a user whose devices are recorded, for a day or as long as one of them is in a group', async () => {
    const { pool } = server
    const [names, copies] = [server.app.get(ErasedNames, { strict: false }), server.app.get(ListCopies, { strict: false })]
    const drop = server.app.get<() => Promise<void>>('federation.device_lists_v1', { strict: false })
    const user = `mimi://b.example/u/${newName()}`
    const client = user.replace('/u/', '/d/') + '/phone'
    const maker = await ListMaker.begin(user)
    const copy = copyOf(maker)
    await copies.keep(user, copy, true)
    expect(await lists(user)).toEqual([])
    await transaction(pool, (sql) =>
      recordForeignUser(sql, user, { devices: [{ client, revokedAt: null, keys: [] }], wanted: new Set([client]) }, BOUNDS, names),
    )
    await copies.keep(user, copy, false)
    expect(await lists(user)).toEqual([])
    await copies.keep(user, copy, true)
    expect(await lists(user)).toHaveLength(1)
    const [outdate, inGroup] = [
      () => pool.query("UPDATE foreign_device_list SET wanted_until = now() - interval '1 second'"),
      'UPDATE member SET until_seq = $2 WHERE device_id = (SELECT id FROM device WHERE client_uri = $1)',
    ]
    await drop()
    expect(await lists(user)).toHaveLength(1)
    await pool.query(
      `INSERT INTO member (device_id, gid, from_seq, join_epoch, acked) SELECT id, 4712, 1, 1, 1 FROM device WHERE client_uri = $1`,
      [client],
    )
    await outdate()
    await drop()
    expect(await lists(user)).toHaveLength(1)
    await outdate()
    await pool.query(inGroup, [client, 5])
    await drop()
    expect(await lists(user)).toEqual([])
  })

  it('says which certificates have ended, and counts for its provider what it keeps', async () => {
    const { pool } = server
    const [names, copies] = [server.app.get(ErasedNames, { strict: false }), server.app.get(ListCopies, { strict: false })]
    const domain = `${newName()}.example`
    await pool.query('INSERT INTO peer (domain) VALUES ($1)', [domain])
    const kept = async () => (await pool.query('SELECT device_list_bytes AS n FROM peer WHERE domain = $1', [domain])).rows[0].n
    const user = `mimi://${domain}/u/eve`
    await transaction(pool, (sql) => recordForeignUser(sql, user, onePhone(user), BOUNDS, names))
    const maker = await ListMaker.begin(user)
    const phone = await maker.certify(maker.root, `mimi://${domain}/d/eve/phone`, privateKey())
    await copies.keep(user, copyOf(maker), true)
    const first = maker.entries.reduce((sum, { length }) => sum + length, 0)
    expect(await kept()).toBe(BigInt(first))
    await maker.certify(phone, `mimi://${domain}/d/eve/tablet`, privateKey())
    await maker.revoke(maker.root, 2, 3)
    const list = await copies.check(user, maker.entries, undefined, PAYER)
    if (list.kind === 'broken') throw new Error(list.rule)
    const ends = endsIn(list.value)
    expect(ends).toEqual([null, 4, 4, null])
    await copies.keep(user, { ...copyOf(maker), ends }, false)
    expect(await lists(user)).toEqual([{ number: 4, ends }])
    expect(await kept()).toBe(BigInt(maker.entries.reduce((sum, { length }) => sum + length, 0)))
    await pool.query('DELETE FROM foreign_device_list WHERE account_id = (SELECT id FROM account WHERE user_uri = $1)', [user])
    expect(await kept()).toBe(0n)
  })
})
