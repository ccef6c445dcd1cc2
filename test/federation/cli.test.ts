import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import {
  lockPeer,
  noteDirectoryFailure,
  raiseAlarm,
  storeDirectory,
  type PeerDirectoryContent,
} from '../../src/federation/peers/peer-directories.repository.js'
import { listPeers, noteClock, noteFailure } from '../../src/federation/peers/peers.repository.js'
import { soundSettings, examined } from '../doctor/doctor-fixture.js'
import { keepEvidence } from '../../src/federation/evidence/evidence.repository.js'
import { pendingDeletions, postponeDeletion } from '../../src/federation/push/deletions.repository.js'
import { useTestDatabase } from '../support/database.js'
import { FINDING } from '../support/finding.js'
import { runCommand } from '../support/run-command.js'

const DOMAIN = 'a.example'
const database = useTestDatabase()
const settings = (more: Record<string, string> = {}) => soundSettings(database.url, { DOMAIN, ...more })

const before = { ...process.env }
afterEach(() => void (process.env = { ...before }))

/** What a command prints, and its exit code. */
async function run(command: string, more: Record<string, string> = {}): Promise<{ code: number; out: string; err: string }> {
  process.env = { ...before, ...settings(more) }
  const { code, out, errors: err } = await runCommand(...command.split(' '))
  return { code, out, err }
}

const peer = async (domain = 'b.example') => (await listPeers(database.pool)).find((one) => one.domain === domain)
const keysOf = async () => (await database.pool.query("SELECT 1 FROM peer_key WHERE domain = 'b.example'")).rowCount

/** b.example is known, with a key. */
async function know(more: Partial<PeerDirectoryContent> = {}): Promise<void> {
  const key = { keyId: 'k', publicKey: Buffer.alloc(32, 1), notBefore: new Date(0), notAfter: null }
  const named = { domain: 'b.example', endpoints: {}, profiles: ['microchat-2'], features: [], authorities: [] }
  const [issuedAt, expiresAt] = [new Date(0), new Date(Date.now() + 7 * 86_400_000)]
  await lockPeer(database.pool, 'b.example')
  await storeDirectory(database.pool, { ...named, issuedAt, expiresAt, payloadHash: Buffer.alloc(32), keys: [key], alarm: null, ...more })
}

/** A group whose entries the peer refuses, for this reason. */
async function stop(groupId: string, why: string): Promise<void> {
  await database.pool.query(
    `WITH made AS (
       INSERT INTO groups (group_id, room_id, mode, cipher_suite, epoch, head_chain)
       VALUES ($1, 'mimi://a.example/r/' || encode($1, 'hex'), 'private', 1, 1, '\\x00') RETURNING gid
     ) INSERT INTO peer_cursor (domain, gid, incarnation, from_seq, acked, stopped) SELECT 'b.example', gid, 1, 1, 4, $2 FROM made`,
    [Buffer.from(groupId), why],
  )
}

beforeEach(() => database.pool.query('TRUNCATE peer, peer_key, peer_cursor, peer_deletion, provider_key, evidence, groups CASCADE'))

describe('peers list', () => {
  it('says when nobody is known', async () => {
    expect(await run('peers list')).toEqual({ code: 0, out: 'No other provider is known.\n', err: '' })
  })

  it('shows how a peer stands, what went wrong, and how many groups are stopped and why', async () => {
    await know()
    await noteFailure(database.pool, 'b.example', 3, new Date('2030-01-31T12:00:00Z'), 'The peer answers 503 \u001b[2Jx')
    await raiseAlarm(database.pool, 'b.example', 'it has expired')
    await noteClock(database.pool, 'b.example', -95)
    for (const group of ['one', 'two']) await stop(group, 'The peer refuses the batch: 422')
    await stop('three', 'Other')
    await run('peers pause c.example')
    const { out } = await run('peers list')
    expect(out.replaceAll(/last error \S+:/g, 'last error TIME:').split('\n')).toEqual([
      'b.example  no policy; 3 failures, next try 2030-01-31T12:00:00Z; last heard never',
      '  ALARM: its directory is not believed: it has expired',
      "  CLOCK: 95 seconds behind this server's; no request or answer of it counts until one of the two is right",
      '  last error TIME: The peer answers 503 ?[2Jx',
      '  2 groups stopped: The peer refuses the batch: 422',
      '  1 group stopped: Other',
      'c.example  no policy, paused; 0 failures; last heard never',
      '',
    ])
  })

  it('says since when a directory cannot be fetched, why, and until when its keys count', async () => {
    const of = async (more: Partial<PeerDirectoryContent>) => {
      await know(more)
      await noteDirectoryFailure(database.pool, 'b.example', 'timed-out: UND_ERR_HEADERS_TIMEOUT')
      const { out } = await run('peers list')
      return out.replaceAll(/since 2\S+/g, 'since TIME').split('\n')[1]
    }
    const cannot = '  DIRECTORY: cannot be fetched since TIME (timed-out: UND_ERR_HEADERS_TIMEOUT); '
    expect(await of({ expiresAt: new Date('2999-01-31T12:00:00Z') })).toBe(`${cannot}its keys count until 2999-01-31T12:00:00Z`)
    const key = { keyId: 'k', publicKey: Buffer.alloc(32, 1), notBefore: new Date(0), notAfter: new Date('2998-01-31T12:00:00Z') }
    expect(await of({ expiresAt: new Date('2999-01-31T12:00:00Z'), keys: [key] })).toBe(
      `${cannot}its keys count until 2998-01-31T12:00:00Z`,
    )
    expect(await of({ expiresAt: new Date('2020-01-31T12:00:00Z') })).toBe(`${cannot}its keys have not counted since TIME`)
  })

  it('names groups only when asked to', async () => {
    await stop('secret-group', 'Other')
    const id = Buffer.from('secret-group').toString('base64url')
    expect((await run('peers list')).out).not.toContain(id)
    expect((await run('peers list --groups')).out).toContain(`    ${id}, stored up to seq 4\n`)
  })
})

describe('a peer', () => {
  it.each([
    ['allow', 'allow'],
    ['deny', 'deny'],
    ['reset', null],
  ])('has by peers %s the policy %s', async (command, policy) => {
    await run('peers deny b.example')
    expect(await run(`peers ${command} b.example`, { FEDERATION: 'allow-list' })).toMatchObject({ code: 0, err: '' })
    expect(await peer()).toMatchObject({ policy })
  })

  it('is denied for nothing where everybody is let in, and the operator is notified', async () => {
    expect((await run('peers deny b.example', { FEDERATION: 'open' })).out).toContain('This changes nothing while FEDERATION is open')
    expect((await run('peers deny b.example', { FEDERATION: 'deny-list' })).out).not.toContain('changes nothing')
  })

  it('is paused and resumed', async () => {
    await run('peers pause b.example')
    expect(await peer()).toMatchObject({ paused: true })
    await run('peers resume b.example')
    expect(await peer()).toMatchObject({ paused: false })
  })

  it('is tried again, with its stopped groups and without waiting', async () => {
    await noteFailure(database.pool, 'b.example', 9, new Date('2030-01-31T12:00:00Z'), 'x')
    await stop('one', 'Other')
    expect((await run('peers retry b.example')).out).toContain('1 stopped group included')
    expect(await peer()).toMatchObject({ failures: 0, retryAt: null })
    expect((await run('peers list')).out).not.toContain('stopped')
  })

  it('shows the deletions that it refuses, and is asked for them again', async () => {
    await know()
    for (const group of ['one', 'two']) {
      const deletion = { groupId: Buffer.from(group), roomId: 'mimi://a.example/r/gone', incarnation: 1, failures: 4 }
      await database.pool.query(`INSERT INTO peer_deletion (domain, group_id, room_id, incarnation) VALUES ('b.example', $1, $2, 1)`, [
        deletion.groupId,
        deletion.roomId,
      ])
      await postponeDeletion(database.pool, 'b.example', deletion, 3_600_000, 'The peer answers 409')
    }
    expect((await run('peers list')).out).toContain('  2 deletions refused, and tried again: The peer answers 409\n')
    expect((await run('peers list --groups')).out).toContain(`    ${Buffer.from('two').toString('base64url')}\n`)
    expect(await pendingDeletions(database.pool, 'b.example', 10)).toEqual([])
    expect((await run('peers retry b.example')).out).toContain('0 stopped groups and 2 refused deletions included')
    expect(await pendingDeletions(database.pool, 'b.example', 10)).toMatchObject([{ failures: 5 }, { failures: 5 }])
  })

  it('is trusted again: its keys and the alarm go, what was said of it stays', async () => {
    await know()
    await run('peers allow b.example')
    await raiseAlarm(database.pool, 'b.example', 'it has expired')
    expect(await run('peers trust b.example')).toMatchObject({ code: 0 })
    expect([await keysOf(), await peer()]).toMatchObject([0, { alarm: null, issuedAt: null, policy: 'allow' }])
  })

  it.each(['allow', 'deny', 'reset', 'pause', 'resume', 'retry', 'trust'])(
    'of peers %s is one domain, and not this one',
    async (command) => {
      for (const args of ['', ' B.example', ' mimi://b.example', ' b.example c.example', ' a.example', ' --all']) {
        const { code, err } = await run(`peers ${command}${args}`)
        expect([code, err]).toEqual([1, expect.stringMatching(/^.+\n$/)])
      }
      expect(await listPeers(database.pool)).toEqual([])
    },
  )

  it('that is not known cannot be trusted again', async () => {
    expect(await run('peers trust d.example')).toMatchObject({ code: 1, err: 'There is no provider d.example that is known here.\n' })
  })
})

describe('keys rotate-provider', () => {
  const keys = async () =>
    (
      await database.pool.query<{ now: boolean; kept: boolean }>(
        `SELECT signs_from <= now() AND coalesce(signs_until > now(), true) AS now, coalesce(published_until > now() + interval '59 minutes', true) AS kept
           FROM provider_key ORDER BY signs_from`,
      )
    ).rows

  it('publishes a key that signs after the lead, once at a time', async () => {
    await run('keys rotate-provider --now')
    expect((await run('keys rotate-provider', { FEDERATION_KEY_LEAD: '2h' })).out).toContain('signs in 2 h')
    expect((await run('keys rotate-provider')).out).toBe('A rotation is under way already.\n')
    expect(await keys()).toEqual([
      { now: true, kept: true },
      { now: false, kept: true },
    ])
  })

  it('--now lets the new key sign, and withdraws all others at once, also those of a rotation that is under way', async () => {
    await run('keys rotate-provider --now')
    await run('keys rotate-provider', { FEDERATION_KEY_LEAD: '2h' })
    expect((await run('keys rotate-provider --now')).out).toContain('from now on')
    expect(await keys()).toEqual([
      { now: false, kept: false },
      { now: true, kept: true },
      { now: false, kept: false },
    ])
  })
})

describe('the doctor', () => {
  const of = async (more: Record<string, string> = {}) => (await examined(settings(more))).of('federation')

  it('says that a server does not federate', async () => {
    expect(await of()).toEqual(['ok: This server does not federate (FEDERATION is off).'])
  })

  it('misses an address to tell others', async () => {
    expect(await of({ FEDERATION: 'open' })).toEqual([
      expect.stringMatching(/^problem: FEDERATION is on without PUBLIC_URL/),
      'ok: No provider gives cause for doubt.',
      'ok: No group is stopped towards another provider.',
    ])
  })

  it('counts alarms, equivocations and stopped groups as problems', async () => {
    await know()
    await raiseAlarm(database.pool, 'b.example', 'it has expired')
    await stop('one', 'Other')
    await keepEvidence(database.pool, FINDING)
    const findings = await of({ FEDERATION: 'open' })
    expect(findings.slice(1)).toEqual([
      expect.stringMatching(/^problem: A provider shows a directory that is not believed/),
      expect.stringMatching(/^problem: 1 group is followed no further/),
      expect.stringMatching(/^problem: A group is stopped/),
    ])
    expect(findings.join()).not.toContain('b.example')
  })

  it('finds a provider key that the secret does not open', async () => {
    await run('keys rotate-provider --now', {
      SERVER_SECRET: Buffer.from('another secret, for other keys.. ').subarray(0, 32).toString('base64'),
    })
    expect((await examined(settings())).of('sealed keys')).toEqual([
      expect.stringMatching(/^problem: SERVER_SECRET does not open 1 of 1 keys/),
    ])
  })
})
