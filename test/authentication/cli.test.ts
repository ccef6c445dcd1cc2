import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createTestDatabase, type TestDatabase } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { runCommand as cli } from '../support/run-command.js'
import { startServer, testEnvironment, type TestServer } from '../support/server.js'
import { Http, newName, TestDevice, UNLIMITED } from './device-fixture.js'

let database: TestDatabase
let server: TestServer
let http: Http
const before = { ...process.env }
beforeAll(async () => {
  database = await createTestDatabase()
  Object.assign(process.env, testEnvironment(database.url))
  server = await startServer({ ...UNLIMITED, REGISTRATION: 'closed' }, { database })
  http = new Http(server.url)
})
afterAll(async () => {
  process.env = before
  await server.close()
  await database.drop()
})

const codeIn = (out: string) => ({ invite_code: out.trim().split('\n').at(-1) })

describe('the operator', () => {
  it('makes an account, whose first device registers with the printed code', async () => {
    const name = newName()
    const { code, out } = await cli('accounts', 'create', name)
    expect([code, out]).toEqual([0, expect.stringContaining(name)])
    expect((await new TestDevice(http, name).register(codeIn(out))).status).toBe(201)
    expect(await cli('accounts', 'create', name)).toMatchObject({ code: 1, errors: `There is an account ${name} already.\n` })
  })

  it('invites one more device of an account', async () => {
    const name = newName()
    await cli('accounts', 'create', name)
    const { out } = await cli('invites', 'create', '--user', name, '--expires', '1h')
    expect((await new TestDevice(http, name).register(codeIn(out))).status).toBe(201)
  })

  it('disables an account', async () => {
    const name = newName()
    const { out } = await cli('accounts', 'create', name)
    const device = new TestDevice(http, name)
    await device.register(codeIn(out))
    expect(await cli('accounts', 'disable', name)).toMatchObject({ code: 0 })
    await eventually(
      () => device.standing(),
      (standing) => standing === 'device-revoked',
    )
    expect(await cli('accounts', 'disable', name)).toMatchObject({ code: 1 })
  })

  it('rotates the key of access tokens, but not twice at once', async () => {
    expect(await cli('keys', 'rotate')).toMatchObject({ code: 0 })
    const keys = async () => (await database.pool.query('SELECT 1 FROM token_signing_key')).rowCount
    const made = await keys()
    await cli('keys', 'rotate')
    expect(await keys()).toBe(made)
    expect((await cli('keys', 'rotate', '--now')).out).toContain('from now on')
    expect(await keys()).toBe((made ?? 0) + 1)
  })

  it.each([
    [['accounts', 'create']],
    [['accounts', 'create', 'Alice']],
    [['accounts', 'create', 'a', 'b']],
    [['accounts', 'create', 'alice', '--expires', 'soon']],
    [['accounts', 'disable', 'nobody-at-all']],
    [['invites', 'create', '--uses', '0']],
    [['invites', 'create', '--uses', 'many']],
    [['invites', 'create', '--user', 'nobody-at-all']],
  ])('gets a sentence that says what is wrong with %p', async (args) => {
    const { code, errors } = await cli(...args)
    expect(code).toBe(1)
    expect(errors).toMatch(/^.+\n$/)
  })
})
