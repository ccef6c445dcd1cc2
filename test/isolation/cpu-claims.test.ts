import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { ProviderKeys } from '../../src/federation/identity/provider-keys.js'
import { INBOUND_LIMITS } from '../../src/federation/inbound/inbound-gate.js'
import { PeerDirectories } from '../../src/federation/peers/peer-directories.js'
import { ConfigSchema } from '../../src/platform/config/config-schema.js'
import { Metrics } from '../../src/platform/observability/metrics.js'
import { WORKER_LIMITS } from '../../src/platform/workers/worker-time.js'
import { signRequest } from '../../src/protocol/http-signature/signed-request.js'
import { TOKEN_LIMITS } from '../../src/tokens/issue/tokens.limits.js'
import { startFederation, type Federation, type Provider } from '../support/federation.js'
import { PeerEchoModule } from '../support/peer-echo.js'

let federation: Federation
let [from, to] = [] as unknown as [Provider, Provider]
beforeAll(async () => {
  federation = await startFederation(2, { FEDERATION_UNVERIFIED_PER_MINUTE: '5' }, PeerEchoModule)
  ;[from, to] = federation.providers as [Provider, Provider]
})
afterEach(() => void jest.restoreAllMocks())
afterAll(() => federation.close())

/** A request of one provider to the other, signed by its key or by one of somebody else. */
async function ask(forged: boolean): Promise<Response> {
  const path = '/mimi/v1/echo/room'
  const body = Buffer.from('body')
  const request = { method: 'POST', targetUri: to.proxy.url + path, target: to.domain, content: { body, contentType: 'application/mimi' } }
  const key = await from.app.get(ProviderKeys).signer()
  const signer = forged ? { ...key, privateKey: generateKeyPairSync('ed25519').privateKey } : key
  const created = Math.floor(Date.now() / 1000)
  const headers = signRequest(request, signer, { created, expires: created + 60, nonce: randomBytes(16).toString('base64url') })
  return fetch(to.url + path, { method: 'POST', headers, body })
}

describe('claims to be a peer', () => {
  it('that are false are looked into a limited number of times a minute for one address, true ones as often as they come', async () => {
    for (let request = 0; request < 12; request++) expect((await ask(false)).status).toBe(200)
    const looks = jest.spyOn(PeerDirectories.prototype, 'key')
    const began = performance.now()
    const refusals = await Promise.all(Array.from({ length: 12 }, () => ask(true)))
    const judged = refusals.filter(({ status }) => status === 401).length
    // Five at once, and one more in twelve seconds.
    expect(judged).toBeGreaterThanOrEqual(5)
    expect(judged).toBeLessThanOrEqual(5 + Math.ceil((performance.now() - began) / 12_000))
    expect(looks).toHaveBeenCalledTimes(judged)
    const limited = refusals.filter(({ status, headers }) => status === 429 && headers.get('retry-after') !== null)
    expect(limited).toHaveLength(12 - judged)
    const { values } = await to.app.get(Metrics).limitsRefused.get()
    expect(values).toMatchObject([{ labels: { limit: 'unverified-peer-requests' }, value: 12 - judged }])
  })
})

describe('the rows of the limits on what costs time', () => {
  const rows = [...INBOUND_LIMITS, ...TOKEN_LIMITS, ...WORKER_LIMITS]
  it.each(rows.map((row) => [row.name, row] as const))('%s has a name of its own, and a number or a setting that there is', (name, row) => {
    expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/)
    expect(rows.filter((other) => other.name === name)).toHaveLength(1)
    expect((row.value === undefined) !== (row.setting === undefined)).toBe(true)
    expect(row.setting === undefined || row.setting in ConfigSchema.shape).toBe(true)
  })
})
