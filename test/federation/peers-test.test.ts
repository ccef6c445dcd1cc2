import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { testerKey } from '../../src/app/federation-check/tester/tester-provider.js'
import { DirectoryTimes } from '../../src/federation/peers/directory-times.js'
import { forgetKeys } from '../../src/federation/peers/peer-directories.repository.js'
import { noteFailure, setPaused, setPolicy } from '../../src/federation/peers/peers.repository.js'
import { eventually } from '../support/eventually.js'
import { startFederation, type Federation, type Provider } from '../support/federation.js'
import { query } from '../support/peer-requests.js'
import { runCommand } from '../support/run-command.js'
import { testEnvironment } from '../support/server.js'
import { showDirectory } from '../support/shown-directory.js'

let federation: Federation
let [a, b] = [] as unknown as [Provider, Provider]
beforeAll(async () => {
  federation = await startFederation(2, { FEDERATION: 'deny-list' })
  ;[a, b] = federation.providers as [Provider, Provider]
  for (const { app } of [a, b]) Object.assign(app.get(DirectoryTimes), { memory: 0, again: -1 })
})
afterAll(() => federation.close())

const before = { ...process.env }
beforeEach(async () => {
  for (const { proxy } of [a, b]) proxy.fault = 'none'
  await forgetKeys(a.pool, 'b.example')
  await forgetKeys(b.pool, 'a.example')
})
afterEach(() => void (process.env = { ...before }))

const environment = () =>
  testEnvironment(a.config.DATABASE_URL ?? '', {
    DOMAIN: 'a.example',
    PUBLIC_URL: a.proxy.url,
    FEDERATION: 'deny-list',
    FEDERATION_PEER_URLS: `b.example=${b.proxy.url}`,
    FEDERATION_ALLOWED_RANGES: '127.0.0.0/8',
  })

/** What an operator of a.example sees of b.example. */
async function test(...more: string[]) {
  process.env = { ...before, ...environment() }
  const { code, out, errors } = await runCommand('peers', 'test', ...more, 'b.example')
  const failed = [...out.matchAll(/^FAIL {2}([a-z-]+): (.*)$/gm)].map(([, name]) => name)
  const warned = [...out.matchAll(/^warn {2}([a-z-]+): (.*)$/gm)].map(([, name]) => name)
  return { code, out, errors, failed, warned }
}

describe('peers test', () => {
  it('finds nothing wrong with a peer that works, and changes nothing', async () => {
    const { code, out, failed, warned } = await test()
    expect([code, failed]).toEqual([0, []])
    // Nobody finds a.example here but by the settings; and no request has come.
    expect(warned).toEqual(['own-directory', 'heard'].filter((name) => out.includes(`warn  ${name}`)))
    for (const name of [
      'dns',
      'directory-possession',
      'request-accepted',
      'answer-signed',
      'admitted-there',
      'reaches-this-server',
      'lane',
    ])
      expect(out).toMatch(new RegExp(`^pass {2}${name}: `, 'm'))
    expect((await a.pool.query("SELECT 1 FROM peer_key WHERE domain = 'b.example'")).rowCount).toBe(0)
  })

  it('is for machines, too', async () => {
    const { out } = await test('--json')
    expect(JSON.parse(out)).toMatchObject({
      ok: true,
      checks: expect.arrayContaining([{ name: 'endpoints', verdict: 'pass', text: expect.any(String) }]),
    })
  })

  it.each<[string, () => unknown, string[]]>([
    ['that it is denied here', () => setPolicy(a.pool, 'b.example', 'deny'), ['admitted-here']],
    ['that it denies this provider', () => setPolicy(b.pool, 'a.example', 'deny'), ['request-accepted', 'admitted-there']],
    ['that it does not reach this server', () => (a.proxy.fault = 'cut'), ['request-accepted', 'reaches-this-server']],
    ['that it redirects', () => (b.proxy.fault = { status: 302, headers: { location: 'https://www.b.example/' } }), ['directory-fetched']],
    ['that its proxy hides the directory', () => (b.proxy.fault = { status: 404 }), ['directory-fetched']],
    ['that it is down', () => (b.proxy.fault = 'cut'), ['directory-fetched']],
  ])('says %s', async (_what, broken, expected) => {
    await broken()
    // What an operator has decided, running servers know within seconds.
    const { code, errors } = await eventually(
      () => test(),
      ({ failed }) => failed.join() === expected.join(),
    )
    expect([code, errors]).toEqual([1, expect.stringMatching(/^(One check|\d+ checks) failed\.\n$/)])
    await setPolicy(a.pool, 'b.example', null)
    await setPolicy(b.pool, 'a.example', null)
  })

  it('says that somebody else seems to be at its domain', async () => {
    expect(await query(a, 'b.example')).toMatchObject({ status: 200 })
    await showDirectory(b, b, { keys: [testerKey('rogue')] })
    const { failed, out } = await test()
    expect(failed).toContain('directory-trusted')
    expect(out).toContain('no key that is trusted has signed it')
  })

  it('says what waits for it', async () => {
    expect(await query(a, 'b.example')).toMatchObject({ status: 200 })
    await noteFailure(a.pool, 'b.example', 3, new Date('2030-01-31T12:00:00Z'), 'x')
    expect((await test()).out).toContain('warn  lane: 3 pushes in a row failed; the next try is 2030-01-31T12:00:00Z.')
    await setPaused(a.pool, 'b.example', true)
    expect((await test()).out).toContain('warn  lane: Nothing is pushed')
    await setPaused(a.pool, 'b.example', false)
    // Otherwise the server fetches it again.
    b.proxy.fault = 'cut'
    await a.pool.query("UPDATE peer SET expires_at = now() - interval '1 minute' WHERE domain = 'b.example'")
    expect((await test()).failed).toEqual(['directory-fetched', 'stored-directory'])
    await a.pool.query(
      `WITH made AS (
         INSERT INTO groups (group_id, room_id, mode, cipher_suite, epoch, head_chain)
         VALUES ('\\x01', 'mimi://a.example/r/stopped', 'private', 1, 1, '\\x00') RETURNING gid
       ) INSERT INTO peer_cursor (domain, gid, incarnation, from_seq, acked, stopped) SELECT 'b.example', gid, 1, 1, 4, 'x' FROM made`,
    )
    expect((await test()).failed).toEqual(['directory-fetched', 'stored-directory', 'groups'])
  })

  it.each(['', 'B.example', 'a.example', 'b.example c.example', '--all b.example'])(
    'says what is missing in: peers test %s',
    async (args) => {
      process.env = { ...before, ...environment() }
      expect(await runCommand('peers', 'test', ...args.split(' ').filter(Boolean))).toMatchObject({
        code: 1,
        errors: expect.stringMatching(/^.+\n$/s),
      })
    },
  )
})
