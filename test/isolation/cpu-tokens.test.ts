import { randomBytes } from 'node:crypto'
import { expect, it, describe } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import { Metrics } from '../../src/platform/observability/metrics.js'
import { TokenSigner } from '../../src/tokens/issue/token-signer.js'
import { BATCHES_WAITING, BATCHES_WAITING_OF_ONE } from '../../src/tokens/issue/tokens.limits.js'
import { IssuerKeys } from '../../src/tokens/keys/issuer-keys.js'
import { blindSign, encodeBatchRequest } from '../../src/protocol/privacy-pass/issuance.js'
import { useSealedServer } from '../sealed/sealed-server-fixture.js'
import { medianMs } from './median-time.js'

const TOKENS = 250
const fixture = useSealedServer({ TOKENS_PER_BATCH: String(TOKENS), TOKENS_PER_ACCOUNT: String(40 * TOKENS) })

async function batch(): Promise<Uint8Array> {
  const [key] = await fixture.server.app.get(IssuerKeys).published()
  // Below the modulus; it need not come of any token.
  const blinded = () => Uint8Array.of(0, ...randomBytes(255))
  return encodeBatchRequest(Array.from({ length: TOKENS }, () => ({ truncatedKeyId: key!.truncatedId, blindedMessage: blinded() })))
}
const TYPE = 'application/private-token-generic-batch-request'
/** Posts once, unlike the client, which retries when the answer says so. */
const post = (client: Client, body: Uint8Array) =>
  fetch(`${fixture.server.url}/v1/tokens`, {
    method: 'POST',
    headers: { 'content-type': TYPE, ...client.device.http.credentials('POST', `${fixture.server.url}/v1/tokens`) },
    body: new Uint8Array(body),
  })
async function ask(client: Client, body: Uint8Array): Promise<Buffer> {
  const answer = await post(client, body)
  expect(answer.status).toBe(200)
  return Buffer.from(await answer.arrayBuffer())
}

/** Reads the counter from the registry: the answer of /metrics is up to a second old. */
async function signed(): Promise<number> {
  const text = await fixture.server.app.get(Metrics).registry.metrics()
  return Number(/^tokens_signed_total (\d+)$/m.exec(text)?.[1] ?? Number.NaN)
}

/** Milliseconds of this thread, on which server and test run. */
async function onThisThread(work: () => Promise<unknown>): Promise<number> {
  const before = process.threadCpuUsage()
  await work()
  const { user, system } = process.threadCpuUsage(before)
  return (user + system) / 1_000
}

describe('having tokens signed', () => {
  it('takes the event loop a fraction of what the signatures take', async () => {
    const [alice] = await fixture.world.cast('alice')
    const { privateKey } = (await fixture.server.app.get(IssuerKeys).published())[0]!
    const signatures = TOKENS * medianMs(() => blindSign(privateKey, Uint8Array.of(0, ...randomBytes(255))))
    await ask(alice, await batch()) // threads have started
    const bodies = await Promise.all(Array.from({ length: 9 }, batch))
    const spent: number[] = []
    for (const body of bodies) spent.push(await onThisThread(() => ask(alice, body)))
    // The client of the test and what judges its answers run on this thread, too; once in a while that compiles something.
    const median = spent.toSorted((one, other) => one - other)[4] ?? Number.POSITIVE_INFINITY
    expect(median).toBeLessThan(signatures / 2)
  })

  it('costs no signature when the same batch comes again', async () => {
    const [alice] = await fixture.world.cast('alice')
    const body = await batch()
    const answer = await ask(alice, body)
    const before = await signed()
    expect(before).toBeGreaterThanOrEqual(TOKENS)
    for (let again = 0; again < 10; again++) expect(await ask(alice, body)).toEqual(answer)
    expect(await signed()).toBe(before)
  })

  it('again for a batch that lies far back is limited far below new ones, and gives the same', async () => {
    const [alice] = await fixture.world.cast('alice')
    const first = await batch()
    const answer = await ask(alice, first)
    for (let later = 0; later < 8; later++) await ask(alice, await batch())
    const { rows } = await fixture.database.pool.query<{ kept: bigint }>('SELECT count(*) AS kept FROM token_answer WHERE holder = $1', [
      alice.user,
    ])
    expect(Number(rows[0]?.kept)).toBe(8)
    const before = await signed()
    expect(await ask(alice, first)).toEqual(answer)
    expect(await signed()).toBe(before + TOKENS)
    // Kept again, so repeats of this one cost nothing; but going through old ones in turn does.
    const old = await Promise.all(Array.from({ length: 15 }, batch))
    for (const body of old) await ask(alice, body)
    const began = performance.now()
    const statuses: number[] = []
    for (const body of old.slice(0, 7)) statuses.push((await post(alice, body)).status)
    // Of six a minute one was used before; one comes back in ten seconds.
    const allowed = 5 + Math.ceil((performance.now() - began) / 10_000)
    expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(allowed)
    expect(statuses.slice(0, 5)).toEqual(Array<number>(5).fill(200))
    // A batch whose answer is kept does not count.
    expect((await post(alice, old.at(4)!)).status).toBe(200)
  })

  it('lets so much wait of one, and so much of all, and says so', async () => {
    const signer = fixture.server.app.get(TokenSigner)
    const refused = fixture.server.app.get(Metrics).limitsRefused
    const ends: (() => void)[] = []
    const hold = (holder: string) => signer.inTurn(holder, () => new Promise<void>((resolve) => void ends.push(resolve)))
    const held: Promise<void>[] = []
    // One of each is in work, as far as there are threads.
    for (let at = 0; at <= BATCHES_WAITING_OF_ONE.value; at++) held.push(hold('much'))
    await expect(hold('much')).rejects.toMatchObject({ status: 429, retryAfter: 1 })
    while (held.length < BATCHES_WAITING.value + 2) held.push(hold(`h${held.length}`))
    // The holder with the longest line gives up its last piece for one that has none waiting.
    const [last] = held.splice(BATCHES_WAITING_OF_ONE.value, 1)
    held.push(hold('another'))
    await expect(last).rejects.toMatchObject({ status: 503, retryAfter: 1 })
    const { values } = await refused.get()
    for (const limit of ['token-batches-waiting-of-one', 'token-batches-waiting'])
      expect(values.find(({ labels }) => labels['limit'] === limit)?.value).toBe(1)
    for (let ended = 0; ended < held.length; ended++) {
      ends[ended]?.()
      await new Promise((resolve) => setImmediate(resolve))
    }
    await Promise.all(held)
  })
})
