import { afterEach, expect, it } from '@jest/globals'
import { eventually } from '../support/eventually.js'
import { useTestDatabase } from '../support/database.js'
import { spawnServer, type SpawnedServer } from '../support/server.js'
import { TestDevice, UNLIMITED, Http, typeOf } from '../authentication/device-fixture.js'
import { ListedAccount } from './listed-account.js'

const database = useTestDatabase()
let server: SpawnedServer | undefined
afterEach(() => server?.stop('SIGKILL'))

const MOMENTS = {
  'an entry is written': 'device_list_entry',
  'a certificate is written': 'device_certificate',
  'the head is written': 'device_list',
} as const

/** Whether somebody waits for a lock on this table. */
async function waits(table: string): Promise<boolean> {
  const { rows } = await database.pool.query('SELECT FROM pg_locks WHERE relation = $1::regclass AND NOT granted', [table])
  return rows.length > 0
}

it.each(Object.entries(MOMENTS))('a change is there as a whole or not at all: killed when %s', async (_moment, table) => {
  server = await spawnServer(database.url, UNLIMITED)
  const account = await ListedAccount.registered(server.url)
  const { device, holder } = await account.addDevice('laptop')
  await account.list.revoke(account.holder, holder.number)

  // The change stops at this table, with what it wrote before, until its process is gone.
  const stopper = await database.pool.connect()
  await stopper.query(`BEGIN; LOCK TABLE ${table} IN SHARE MODE`)
  const cut = account.append(4).catch(() => 'cut off')
  await eventually(
    () => waits(table),
    (waiting) => waiting,
  )
  await server.stop('SIGKILL')
  await stopper.query('ROLLBACK')
  stopper.release()
  expect(await cut).toBe('cut off')

  server = await spawnServer(database.url, UNLIMITED)
  const http = new Http(server.url)
  const phone = new TestDevice(http, account.phone.name, 'phone', account.phone.keys)
  const laptop = new TestDevice(http, account.phone.name, 'laptop', device.keys)
  await phone.login()
  expect((await account.seen(phone)).number).toBe(3)
  expect((await laptop.login()).status).toBe(201)
  expect((await account.append(4, phone)).status).toBe(200)
  expect((await account.seen(phone)).number).toBe(4)
  expect(typeOf(await laptop.login())).toBe('login-refused')
})
