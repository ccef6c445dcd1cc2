import { constants, createHash, publicEncrypt } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { genericBatched } from '@cloudflare/privacypass-ts'
import type { Client } from '../../examples/client/client.js'
import { sendAnonymously } from '../../examples/client/sealed/anonymous.js'
import type { SealedRequest } from '../../examples/client/sealed/sealed-post.js'
import { SealedSender } from '../../examples/client/sealed/sealed-sender.js'
import { TokenPurse } from '../../examples/client/sealed/tokens.js'
import { readTokenKey } from '../../src/protocol/privacy-pass/issuer-key.js'
import { at, heard, agreed } from '../support/world.js'
import { useSealedServer } from './sealed-server-fixture.js'

const AGENT = 'an-agent-like-no-other/1.0'
const PER_BATCH = 8
const lines: string[] = []
const fixture = useSealedServer(
  { LOG_LEVEL: 'trace', TOKENS_PER_BATCH: String(PER_BATCH) },
  { log: { write: (line) => void lines.push(line) } },
)

/** One batch as the issuer saw it, and the tokens that the client made of it. */
interface Fetched {
  readonly user: string
  readonly request: Uint8Array
  readonly blinded: Uint8Array[]
  readonly answer: Uint8Array
  readonly tokens: { nonce: Uint8Array; authenticator: Uint8Array }[]
}
type Row = Record<string, unknown>

const batches: Fetched[] = []
const posted: SealedRequest[] = []
let tables: Map<string, Row[]>
/** What the server has written of the sealed posts. */
let during: string[] = []

/** A client whose batch is watched. */
async function fetchBatch(client: Client): Promise<TokenPurse> {
  const seen: { request: Uint8Array; answer: Uint8Array }[] = []
  const watched = {
    get: (path: string) => client.device.http.get(path),
    postBytes: async (path: string, type: string, request: Uint8Array) => {
      const answer = await client.device.http.postBytes(path, type, request)
      seen.push({ request, answer })
      return answer
    },
  }
  const purse = new TokenPurse(watched as never, 'localhost')
  await purse.fill()
  const { request, answer } = seen[0]!
  const blinded = [...genericBatched.BatchedTokenRequest.deserialize(request).tokenRequests].map(({ blindMsg }) => blindMsg)
  const tokens = purse.tokens.map(({ authInput, authenticator }) => ({ nonce: authInput.nonce, authenticator }))
  batches.push({ user: client.user, request, blinded, answer, tokens })
  return purse
}

/** Every row of every table, bytes as hexadecimal. */
async function wholeDatabase(): Promise<Map<string, Row[]>> {
  const { pool } = fixture.database
  const names = await pool.query<{ name: string; table: string }>(
    `SELECT relname AS name, c.oid::regclass::text AS table FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE relkind = 'r' AND nspname NOT IN ('pg_catalog', 'information_schema')`,
  )
  const all = new Map<string, Row[]>()
  for (const { name, table } of names.rows) {
    const { rows } = await pool.query<{ row: Row }>(`SELECT to_jsonb(t) AS row FROM ${table} t`)
    if (rows.length > 0)
      all.set(
        name,
        rows.map(({ row }) => row),
      )
  }
  return all
}
const rowsOf = (pattern: RegExp) => [...tables].flatMap(([name, rows]) => (pattern.test(name) ? rows : []))

beforeAll(async () => {
  const members = await fixture.world.cast('alice', 'bob', 'carol')
  const [alice, bob, carol] = members
  const group = await fixture.world.group(alice, [bob, carol])
  await agreed([bob, carol], group)
  const senders: SealedSender[] = []
  for (const client of members) {
    await fetchBatch(client)
    const purse = await fetchBatch(client)
    const send = (request: SealedRequest) => {
      posted.push(request)
      return sendAnonymously<never>(fixture.server.url, { ...request, headers: { ...request.headers, 'user-agent': AGENT } })
    }
    const sender = new SealedSender(at(client, group), purse, send, async () => {})
    await sender.prepare()
    senders.push(sender)
  }
  const before = lines.length
  const texts: string[] = []
  for (let round = 0; round < PER_BATCH; round++)
    for (const [index, sender] of senders.entries()) {
      texts.push(`${round} ${index}`)
      await sender.post(`${round} ${index}`)
    }
  await heard(members, group, texts)
  during = lines.slice(before)
  tables = await wholeDatabase()
})
afterAll(() => fixture.world.disconnect())

describe('the whole database, after many batches and many posts', () => {
  it('has each spent token in one place, and nothing of the batches but the hash and the blind answer of each request', () => {
    const spent = batches.flatMap(({ tokens }) => tokens).map(({ nonce }) => hexOf(nonce))
    const text = new Map([...tables].map(([name, rows]) => [name, JSON.stringify(rows)]))
    const where = (value: string) => [...text].filter(([, rows]) => rows.includes(value)).map(([name]) => name)
    const places = new Map(spent.map((nonce) => [nonce, where(nonce)]))
    const used = [...places.values()].filter((names) => names.length > 0)
    expect(used).toHaveLength(3 * PER_BATCH)
    for (const names of used) expect(names).toEqual([expect.stringMatching(/^spent_token_\d+$/)])
    for (const { tokens, blinded, answer, request } of batches) {
      for (const { authenticator } of tokens) expect(where(hexOf(authenticator))).toEqual([])
      for (const message of blinded) expect(where(hexOf(message))).toEqual([])
      // Kept for repeats: blind signatures, which only the client can turn into what it spends.
      expect(where(hexOf(answer.subarray(5, 60)))).toEqual(['token_answer'])
      expect(where(hexOf(createHash('sha256').update(request).digest())).toSorted()).toEqual(['token_answer', 'token_batch'])
    }
  })

  it('has no value that a row of issuing and a row of spending share, but the key that is everyone’s', () => {
    const issued = rowsOf(/^token_(quota|batch)$/)
    const spent = [...rowsOf(/^spent_token_/), ...rowsOf(/^log_\d+$/).filter(({ kind }) => kind === 'a')]
    expect([issued.length, spent.length]).toEqual([3 + 6, 3 * PER_BATCH * 2])
    // Small numbers are counts and places, and equal by chance.
    const valuesOf = (rows: Row[]) =>
      new Set(
        rows
          .flatMap((row) => Object.values(row))
          .map(String)
          .filter((value) => !/^\d{1,4}$/.test(value)),
      )
    const shared = [...valuesOf(issued)].filter((value) => valuesOf(spent).has(value))
    expect(shared).toEqual([])
    expect(new Set(rowsOf(/^spent_token_/).map((row) => row['issuer_key'])).size).toBe(1)
    expect(new Set(issued.map((row) => row['key_id'])).size).toBe(1)
    // No time, no group and no account where a token was spent; no time at which one was issued.
    expect(Object.keys(rowsOf(/^spent_token_/)[0]!).toSorted()).toEqual(['issuer_key', 'nonce'])
    expect(Object.keys(rowsOf(/^token_batch/)[0]!).toSorted()).toEqual(['holder', 'issuer', 'key_id', 'request_hash'])
    expect(Object.keys(rowsOf(/^token_answer/)[0]!).toSorted()).toEqual(['answer', 'holder', 'issuer', 'key_id', 'nth', 'request_hash'])
    expect(new Set(rowsOf(/^token_quota/).map((row) => row['forget_at'])).size).toBe(1)
  })

  it('tells sealed messages from ordinary ones by no column', () => {
    const messages = rowsOf(/^log_\d+$/).filter(({ kind }) => kind === 'a')
    for (const row of messages) {
      expect(Object.keys(row).toSorted()).toEqual(['accepted_at', 'bytes', 'chain', 'epoch', 'gid', 'hash', 'kind', 'seq'])
      expect(row['accepted_at']).toMatch(/:\d\d\+00:00$/)
    }
  })
})

describe('what the server wrote', () => {
  it('[I10] has no line about a sealed post: no route, no address, no agent, no time', () => {
    const all = lines.join('')
    expect(all).toContain('/v1/tokens')
    for (const line of during) expect(line).not.toMatch(/sealed/i)
    expect(
      during.filter((line) => /"msg":"request"/.test(line) && /"method":"POST"/.test(line) && !/events|sender-keys/.test(line)),
    ).toEqual([])
    for (const word of [AGENT, '127.0.0.1', '::1', 'remoteAddress']) expect(during.join('')).not.toContain(word)
  })

  it('[I10] has nothing of a token or a batch', async () => {
    const metrics = await (await fetch(`${fixture.server.url}/metrics`)).text()
    const all = lines.join('') + metrics
    for (const { tokens, blinded, request, user } of batches) {
      for (const bytes of [...tokens.map(({ nonce }) => nonce), ...blinded, request.subarray(0, 40)])
        for (const spelling of ['hex', 'base64', 'base64url'] as const) expect(all).not.toContain(Buffer.from(bytes).toString(spelling))
      expect(all).not.toContain(user)
    }
    for (const { headers } of posted) expect(all).not.toContain(headers['authorization']?.slice(20, 60))
  })
})

describe('blinded requests and spent tokens', () => {
  const pairs = () => batches.flatMap(({ blinded, tokens }) => blinded.map((message, index) => ({ message, token: tokens[index]! })))

  /** The number that was blinded, which anyone can compute of a token: authenticator^e mod n. Were it not blinded, it would be the request. */
  const unblinded = (authenticator: Uint8Array) => {
    const hex = rowsOf(/^issuer_key$/)[0]!['token_key'] as string
    const key = readTokenKey(Buffer.from(hex.replace(/^\\x/, ''), 'hex'))!
    return new Uint8Array(publicEncrypt({ key, padding: constants.RSA_NO_PADDING }, authenticator))
  }

  it('are as far from each other as from those of anyone else', () => {
    const all = pairs().map(({ message, token }) => ({ message, made: unblinded(token.authenticator) }))
    // A sound test: what the blinding hides is the signed input of that very token.
    expect(all).toHaveLength(6 * PER_BATCH)
    const own = all.map(({ message, made }) => distance(message, made))
    const others = all.flatMap(({ message }, index) => all.filter((_, other) => other !== index).map(({ made }) => distance(message, made)))
    // Bits differ by halves; five standard deviations of the mean, of 2,047 bits each.
    const tolerance = (5 * Math.sqrt(2047) * 0.5) / Math.sqrt(own.length)
    expect(Math.abs(mean(own) - mean(others))).toBeLessThan(tolerance)
    // And the nearest one is the own one no more often than chance has it: once in all, where seven would be a sign.
    const hits = all.filter(({ message, made }) => all.every((other) => distance(message, made) <= distance(message, other.made)))
    expect(hits.length).toBeLessThan(8)
  })

  it('are found out by the same test if they are not blinded', () => {
    const all = pairs().map(({ token }) => ({ message: unblinded(token.authenticator), made: unblinded(token.authenticator) }))
    const hits = all.filter(({ message, made }) => all.every((other) => distance(message, made) <= distance(message, other.made)))
    expect(hits).toHaveLength(all.length)
  })

  it('are unrelated as they are stored, too: hash of the request, nonce of the token', () => {
    const stored = batches.flatMap(({ request, tokens }) => {
      const hash = createHash('sha256').update(request).digest()
      return tokens.map(({ nonce }) => ({ hash, nonce }))
    })
    const own = stored.map(({ hash, nonce }) => distance(hash, nonce))
    const others = stored.flatMap(({ hash }) => stored.filter((other) => other.hash !== hash).map(({ nonce }) => distance(hash, nonce)))
    expect(Math.abs(mean(own) - mean(others))).toBeLessThan((5 * Math.sqrt(256) * 0.5) / Math.sqrt(own.length))
  })
})

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** Bits that differ. */
function distance(left: Uint8Array, right: Uint8Array): number {
  let bits = 0
  for (const [index, byte] of left.entries()) {
    let rest = byte ^ (right[index] ?? 0)
    for (; rest !== 0; rest &= rest - 1) bits++
  }
  return bits
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
