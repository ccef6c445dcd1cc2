import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createHash, randomBytes } from 'node:crypto'
import { encodeBatchRequest } from '../../src/protocol/privacy-pass/issuance.js'
import { eventually } from '../support/eventually.js'
import {
  CAN_ISOLATE,
  descriptorsOf,
  measure,
  startIsolated,
  type Attack,
  type Bystanding,
  type IsolatedServer,
} from './isolated-server-fixture.js'

/** Each with what shows that the limit was met, so that a weak attack cannot pass for a strong server. */
const ATTACKS: [name: string, isMet: (attack: Attack) => boolean][] = [
  ['pipelining-together', ({ answers }) => count(answers, '429') > 0],
  ['chunks-of-a-byte-together', ({ answers }) => count(answers, '401') >= 200],
  ['chunks-of-a-byte-in-many-requests', ({ refused }) => refused > 0],
  ['chunks-of-64-bytes', ({ answers }) => count(answers, '401', '429') > 0],
  ['forged-tokens-pipelined', ({ answers }) => count(answers, '401') > 0],
  // Past the rate of an address each answer ends its connection.
  ['addresses-that-cannot-be-decoded', ({ connections, answers }) => connections > 60 && count(answers, '400') > 0],
  ['chunks-of-a-byte-read', ({ refused }) => refused > 0],
  ['chunks-of-a-byte-anonymous', ({ refused }) => refused > 0],
  ['chunks-of-a-byte-authorized', ({ refused }) => refused > 0],
  ['pipelining-anonymous', ({ refused }) => refused > 0],
  ['pipelining-unknown', ({ refused }) => refused > 0],
  ['pipelining-without-host', ({ refused }) => refused > 0],
  ['pipelining-expectations', ({ refused }) => refused > 0],
  ['pipelining-at-once', ({ refused }) => refused > 0],
  ['pipelining-authorized', ({ refused }) => refused > 0],
  ['unfinished-bodies', ({ answers }) => count(answers, '401') > 0],
  ['unfinished-bodies-unknown', ({ answers }) => count(answers, '404', '429') > 0],
  ['unfinished-bodies-authorized', ({ answers }) => count(answers, '429') > 0],
  ['large-challenges', ({ answers }) => count(answers, '413') > 0],
  ['refused-upgrades', ({ answers }) => count(answers, '400') >= 300],
  ['garbage', ({ answers }) => count(answers, '400') >= 300],
  ['anonymous-reads', ({ answers }) => count(answers, '429') > 0],
  ['anonymous-sealed-posts', ({ answers }) => count(answers, '429') > 0],
  // Refused for the form of its fields before anything else is asked, and counted against the address.
  ['signature-headers', ({ answers }) => count(answers, '401', '429') > 0],
  ['token-batches', ({ answers }) => count(answers, '429') > 0],
  ['slow-headers', ({ connections }) => connections >= 400],
  ['slow-bodies', ({ answers }) => count(answers, '429') > 0],
  ['slow-readers', ({ connections }) => connections >= 100],
  ['idle-sockets', ({ refused }) => refused > 0],
  ['connection-churn', ({ connections }) => connections > 1_000],
  ['header-floods', ({ answers }) => count(answers, '401') > 0],
  ['compressed-bodies', ({ answers }) => count(answers, '415') > 0],
  ['deep-json', ({ answers }) => count(answers, '429') > 0],
  ['deep-cbor', ({ answers }) => count(answers, '429') > 0],
  ['many-tokens-json', ({ answers }) => count(answers, '429') > 0],
]

/** A batch of token requests in base64: blinded messages below the modulus, which need not come of any token. */
async function batchOf({ url }: IsolatedServer): Promise<string> {
  const directory = (await (await fetch(`${url}/.well-known/private-token-issuer-directory`)).json()) as {
    'token-keys': { 'token-key': string }[]
    'batch-size': number
  }
  const key = Buffer.from(directory['token-keys'][0]?.['token-key'] ?? '', 'base64url')
  const truncatedKeyId = createHash('sha256').update(key).digest().at(-1) ?? 0
  const requests = Array.from({ length: directory['batch-size'] }, () => ({
    truncatedKeyId,
    blindedMessage: Uint8Array.of(0, ...randomBytes(255)),
  }))
  return Buffer.from(encodeBatchRequest(requests)).toString('base64')
}

function count(answers: Attack['answers'], ...statuses: string[]): number {
  return statuses.reduce((sum, status) => sum + (answers[status] ?? 0), 0)
}

/** Three times what it was without the attack, or 50 ms; and what the busy machine does to a bare server at the same time. */
function patience(undisturbed: Bystanding, attacked: Bystanding): number {
  return Math.max(3 * undisturbed.p99, 50) + 2 * attacked.controlP99
}

const MAX_MEGABYTES = 512
/** A try has some 120 requests, so that its 99th percentile is the second slowest: one pause of the machine is enough to miss the limit. */
const TRIES = 5

;(CAN_ISOLATE ? describe : describe.skip)('[I11] a bystander keeps being served, and memory stays bounded, under', () => {
  let server: IsolatedServer
  let batch: string
  beforeAll(async () => {
    server = await startIsolated({ FEDERATION: 'open' })
    batch = await batchOf(server)
    // What has not run yet is not compiled: the first attacks would measure that.
    for (const [name] of ATTACKS.slice(0, 2)) await measure(server, name, { BODY: batch })
  })
  afterAll(() => server.close())

  it.each(ATTACKS)(
    '%s',
    async (name, isMet) => {
      let verdict = { p99: 0, limit: 0, met: false }
      for (let attempt = 1; attempt <= TRIES; attempt += 1) {
        const { undisturbed, attacked, attack, maxMegabytes } = await measure(server, name, { BODY: batch })
        expect(attacked.failures).toEqual({})
        expect(maxMegabytes).toBeLessThanOrEqual(MAX_MEGABYTES)
        verdict = {
          p99: attacked.p99,
          limit: patience(undisturbed, attacked),
          met: isMet(attack),
        }
        if (process.env['ISOLATION_REPORT'])
          process.stdout.write(`${name} ${JSON.stringify({ undisturbed, attacked, attack, maxMegabytes })}\n`)
        if (verdict.p99 <= verdict.limit && verdict.met) break
      }
      expect(verdict.met).toBe(true)
      expect(verdict.p99).toBeLessThanOrEqual(verdict.limit)
    },
    300_000,
  )

  it.each(['refused-upgrades', 'garbage', 'slow-headers', 'idle-sockets'])('%s leaves no descriptors behind', async (name) => {
    const before = descriptorsOf(server.pid)
    await measure(server, name)
    await eventually(
      () => descriptorsOf(server.pid),
      (now) => now <= before + 20,
    )
  })
})
