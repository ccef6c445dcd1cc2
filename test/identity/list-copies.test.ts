import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { deleteAccount } from '../../src/authentication/accounts/deletion.repository.js'
import { ErasedNames } from '../../src/authentication/accounts/erased-names.js'
import { recordForeignUser } from '../../src/authentication/directory/foreign-devices.repository.js'
import { judgeLeaf } from '../../src/authentication/directory/leaf-certificates.js'
import { ListCopies } from '../../src/federation/device-lists/foreign-device-lists.js'
import type { ListCopy } from '../../src/federation/device-lists/foreign-device-lists.repository.js'
import { transaction } from '../../src/platform/postgres/sql.js'
import { newName, UNLIMITED } from '../authentication/device-fixture.js'
import { ListMaker, listKey, privateKey, seconds } from '../support/mls/device-lists.js'
import { startServer, type TestServer } from '../support/server.js'
import { eraseDeleted } from './account-fixture.js'

const CLIENT = 'mimi://b.example/d/eve/phone'
const USER = 'mimi://b.example/u/eve'

let server: TestServer
beforeAll(async () => {
  server = await startServer(UNLIMITED)
})
afterAll(() => server.close())

const copyOf = (maker: ListMaker): ListCopy => ({
  identity: maker.identity,
  identities: 1,
  entries: [...maker.entries],
  head: Buffer.of(1),
})

describe('a list of a peer’s user that grows', () => {
  it('is held against what was checked before, signatures too', async () => {
    const copies = new ListCopies(server.pool)
    const maker = await ListMaker.begin(USER)
    const phone = await maker.certify(maker.root, CLIENT, privateKey())
    const copy = copyOf(maker)
    await expect(copies.check(USER, copy.entries, undefined)).resolves.toMatchObject({ kind: 'valid' })
    await maker.certify(phone, `${CLIENT}2`, privateKey())
    await expect(copies.check(USER, maker.entries, copy)).resolves.toMatchObject({ kind: 'valid' })
    const spoilt = maker.entries.map((entry) => entry.slice())
    spoilt[1]![spoilt[1]!.length - 1]! ^= 1
    // The hash chain leaves signatures out: it is the same in both.
    await expect(copies.check(USER, spoilt, copy)).resolves.toEqual({ kind: 'broken', rule: 'entry-signature' })
    await maker.certify({ number: 3, key: privateKey() }, `${CLIENT}3`, privateKey())
    await expect(copies.check(USER, maker.entries, copy)).resolves.toEqual({ kind: 'broken', rule: 'entry-signature' })
  })
})

describe('a banned user of a peer', () => {
  it('keeps the ban when the peer has it erased and its list is read before it comes back', async () => {
    const { pool } = server
    const [names, copies] = [server.app.get(ErasedNames, { strict: false }), new ListCopies(pool)]
    const user = `mimi://evil.example/u/${newName()}`
    const record = () => transaction(pool, (sql) => recordForeignUser(sql, user, [], names))
    const idOf = async () => (await pool.query<{ id: bigint }>('SELECT id FROM account WHERE user_uri = $1', [user])).rows[0]?.id
    await record()
    const accountId = (await idOf()) ?? 0n
    await transaction(pool, async (sql) => {
      await sql.query('INSERT INTO group_ban (gid, user_id) VALUES (4711, $1)', [accountId])
    })
    await transaction(pool, (sql) => deleteAccount(sql, { domain: 'localhost', accountId, erasureId: null }))
    await eraseDeleted(server)
    expect(await idOf()).toBeUndefined()
    await copies.write(user, copyOf(await ListMaker.begin(user)))
    await record()
    expect((await pool.query('SELECT FROM group_ban WHERE user_id = $1', [await idOf()])).rowCount).toBe(1)
  })
})

describe('a leaf that names an entry which the copy does not have', () => {
  it('passes with the identity of the copy, and with no other', async () => {
    const [known, other] = [await ListMaker.begin(USER), await ListMaker.begin(USER)]
    const key = privateKey()
    for (const maker of [known, other]) await maker.certify(maker.root, CLIENT, key)
    const listed = {
      identity: Buffer.from(known.identity),
      listNumber: 1,
      number: 2,
      certificate: null,
      shown: null,
      ended: null,
      ending: null,
    }
    const verdict = (maker: ListMaker) =>
      judgeLeaf({ client: CLIENT, publicKey: listKey(key).publicKey, extension: maker.leafCertificate(2) }, listed, seconds(), false)
    expect(verdict(known)).toMatchObject({ kind: 'certified' })
    expect(verdict(other)).toEqual({ kind: 'broken', rule: 'device-certificate' })
  })
})
