import { describe, expect, it } from '@jest/globals'
import { randomBytes } from 'node:crypto'
import { parse } from 'yaml'
import { openapiYaml } from '../../src/app/cli/generated-files.js'
import { cli } from '../support/cli.js'
import { useTestDatabase } from '../support/database.js'
import { describeWithOwnRedis, describeWithRedis, useRedis } from '../support/redis.js'

const database = useTestDatabase()
const secret = randomBytes(32).toString('base64')

const deployment = (overrides: Record<string, string> = {}) => ({
  DATABASE_URL: database.url,
  SERVER_SECRET: secret,
  DOMAIN: 'chat.example',
  REGISTRATION: 'invite',
  ...overrides,
})

describe('the command line', () => {
  it('lists its commands', async () => {
    const { code, out } = await cli('')
    expect(code).toBe(0)
    for (const name of ['openapi', 'migrate', 'recovered', 'doctor', 'config-docs']) expect(out).toContain(`  ${name} `)
  })
  it('fails for an unknown command or option', async () => {
    expect(await cli('frobnicate')).toMatchObject({ code: 1, err: expect.stringContaining('no command frobnicate') })
    expect((await cli('openapi --frobnicate')).code).toBe(1)
  })
  it('says in one sentence what is missing', async () => {
    expect(await cli('migrate')).toMatchObject({ code: 1, err: expect.stringContaining('DATABASE_URL is required here.') })
  })
})

describe('openapi', () => {
  it('openapi.yaml and docs/configuration.md say what the sources say', async () => {
    expect(await cli('config-docs --check')).toMatchObject({ code: 0 })
    expect(await cli('openapi --check')).toMatchObject({ code: 0 })
  })
  it('is the same every time', async () => {
    expect(await openapiYaml()).toBe(await openapiYaml())
  })
  it('has only references that lead somewhere, and every operation tells its refusals and who may call it', async () => {
    const text = await openapiYaml()
    const document = parse(text)
    for (const [, name] of text.matchAll(/#\/components\/schemas\/([\w.-]+)/g))
      expect(Object.keys(document.components.schemas)).toContain(name)
    expect(text).not.toContain('#/$defs')
    for (const [path, operations] of Object.entries<Record<string, { responses: object; security?: unknown }>>(document.paths)) {
      for (const [method, { responses }] of Object.entries(operations)) {
        expect([path, method, Object.keys(responses)]).toEqual([path, method, expect.arrayContaining(['429', '503'])])
        expect(Object.keys(responses).some((status) => status.startsWith('2'))).toBe(true)
        expect(Object.keys(responses)).not.toContain('2XX')
      }
    }
  })
})

describe('recovered', () => {
  it('gives every group a new incarnation and tells its devices', async () => {
    const { rows } = await database.pool.query<{ gid: bigint }>(
      `INSERT INTO groups (group_id, mode, cipher_suite, epoch, head_chain, room_id) VALUES ('\\x01', 'public', 1, 3, '\\x00', 'r') RETURNING gid`,
    )
    await database.pool.query('INSERT INTO member (device_id, gid, from_seq, join_epoch, acked) VALUES (7, $1, 1, 0, 0)', [rows[0]?.gid])
    expect(await cli('recovered', deployment())).toMatchObject({ code: 0, out: expect.stringMatching(/^Incarnation \d+ for 1 groups/) })
    const [{ incarnation }] = (await database.pool.query<{ incarnation: number }>('SELECT incarnation FROM groups')).rows as [
      { incarnation: number },
    ]
    expect(incarnation).toBeGreaterThan(1)
    expect((await database.pool.query('SELECT device_id, kind FROM inbox')).rows).toEqual([{ device_id: 7n, kind: 'resync' }])
  })
})

describe('doctor', () => {
  it('finds nothing wrong with a sound deployment, and prints no secret', async () => {
    const { out, err } = await cli('doctor', deployment())
    // A test cluster may run without fsync, which the doctor is right to dislike.
    const { rows } = await database.pool.query<{ fsync: string }>('SHOW fsync')
    expect(out.match(/^FAIL.*/gm)).toEqual(
      rows[0]?.fsync === 'on' ? null : [expect.stringContaining('a crash would lose accepted Commits')],
    )
    for (const sentence of [
      'The settings can be read.',
      'All migrations and functions are applied.',
      'clocks',
      'SERVER_SECRET looks random.',
    ])
      expect(out).toContain(sentence)
    expect(out + err).not.toContain(secret)
    expect(out + err).not.toContain(new URL(database.url).password || 'unset')
  })
  it.each([
    [{ DATABASE_URL: 'postgres://u:hunter2@127.0.0.1:1/x' }, 'PostgreSQL cannot be used (ECONNREFUSED)'],
    [{ REDIS_URL: 'redis://:hunter2@127.0.0.1:1' }, 'Redis cannot be used'],
  ])('fails with %j', async (overrides, sentence) => {
    const { code, out, err } = await cli('doctor', deployment(overrides))
    expect([code, out]).toEqual([1, expect.stringContaining(sentence)])
    expect(out + err).not.toContain('hunter2')
  })
  it.each([
    [{ SERVER_SECRET: Buffer.alloc(32).toString('base64') }, 'does not look random'],
    [{ DOMAIN: 'localhost' }, 'DOMAIN is localhost'],
    [{ PUBLIC_URL: 'http://chat.example' }, 'PUBLIC_URL is not https'],
    [{ REGISTRATION: 'open' }, 'REGISTRATION is open'],
    [{ REGISTRATION: 'open', CONSENT: 'implicit' }, 'CONSENT is implicit and REGISTRATION open'],
    [{ ROLE: 'api' }, 'REDIS_URL is unset'],
    [{ ROLE: 'worker' }, 'WORKER_NODES is 0, but ROLE splits the work'],
    [{ ROLE: 'worker', JOB_CONCURRENCY: '9' }, 'JOB_CONCURRENCY .9. jobs share PG_POOL_WORKER .5. connections'],
  ])('warns of %j', async (overrides, sentence) => {
    expect((await cli('doctor', deployment(overrides as Record<string, string>))).out).toMatch(new RegExp(`^warn .*${sentence}`, 'm'))
  })
  it('sees a migration, and a file of functions, that is missing', async () => {
    await database.pool.query("DELETE FROM _prisma_migrations WHERE migration_name LIKE '%_baseline_tokens'")
    await database.pool.query("DELETE FROM function_file WHERE name = 'append'")
    const sentence = '2 migrations or files of functions are not applied'
    expect(await cli('doctor', deployment())).toMatchObject({ code: 1, out: expect.stringContaining(sentence) })
  })
})

describeWithRedis('doctor with Redis', () => {
  const redis = useRedis()
  it('knows whether it would drop jobs', async () => {
    expect((await cli('doctor', deployment({ REDIS_URL: redis.url }))).out).toContain('ok    Redis evicts nothing')
    await redis.client.config('SET', 'maxmemory-policy', 'allkeys-lru')
    expect((await cli('doctor', deployment({ REDIS_URL: redis.url }))).out).toContain('warn  Redis has maxmemory-policy allkeys-lru')
  })
})

describeWithOwnRedis('doctor with a Redis that does not answer', () => {
  const redis = useRedis()
  it('does not wait for it', async () => {
    await redis.pause()
    expect(await cli('doctor', deployment({ REDIS_URL: redis.url }))).toMatchObject({
      code: 1,
      out: expect.stringContaining('FAIL  Redis cannot be used'),
    })
    await redis.resume()
  })
})
