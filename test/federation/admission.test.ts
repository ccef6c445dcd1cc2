import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { PeerPolicy } from '../../src/federation/peers/peer-policy.js'
import { forgetKeys } from '../../src/federation/peers/peer-directories.repository.js'
import { setPolicy } from '../../src/federation/peers/peers.repository.js'
import type { Config } from '../../src/platform/config/config.js'
import type { SigningKey } from '../../src/protocol/http-signature/profile.js'
import { providersOfNodes, type ProviderOfNodes } from '../support/nodes.js'
import { askAs, query, signerOf } from '../support/peer-requests.js'
import type { TestServer } from '../support/server.js'
import { showDirectory } from '../support/shown-directory.js'

let [a, b] = [] as unknown as [ProviderOfNodes, ProviderOfNodes]
let ours: TestServer
beforeAll(async () => {
  ;[a, b] = (await providersOfNodes(2)) as [ProviderOfNodes, ProviderOfNodes]
  ours = await a.node()
})
afterAll(() => Promise.all([a.close(), b.close()]))

/** A request in the name of a to a node of b. */
const ask = async (node: TestServer, key: Partial<SigningKey> = {}, argument = 'room') =>
  askAs({ ...(await signerOf(ours)), ...key }, b, node, argument)

describe('a provider that speaks none of our profiles', () => {
  it('gets a signed answer that says so, and is not asked', async () => {
    await forgetKeys(b.database.pool, a.domain)
    await showDirectory(a, ours, { profiles: ['mimi-draft-99'] })
    const peer = await b.node()
    expect(await ask(peer)).toEqual({ status: 403, type: 'profile-unsupported', signed: true })
    const seen = a.proxy.seen.length
    expect(await query(peer, a.domain)).toMatchObject({ kind: 'profile-unsupported' })
    expect(a.proxy.seen).toHaveLength(seen)
    a.proxy.fault = 'none'
    await forgetKeys(b.database.pool, a.domain)
  })
})

describe('who is admitted', () => {
  const set = (policy: 'allow' | 'deny' | null) => setPolicy(b.database.pool, a.domain, policy)

  it.each<[Config['FEDERATION'], 'allow' | 'deny' | null, boolean]>([
    ['off', 'allow', false],
    ['open', null, true],
    ['open', 'deny', true],
    ['allow-list', null, false],
    ['allow-list', 'deny', false],
    ['allow-list', 'allow', true],
    ['deny-list', null, true],
    ['deny-list', 'allow', true],
    ['deny-list', 'deny', false],
  ])('with FEDERATION=%s and the policy %s: %s', async (FEDERATION, policy, admitted) => {
    await set(policy)
    const admission = new PeerPolicy(b.database.pool, { FEDERATION, DOMAIN: b.domain })
    expect(await admission.admits(a.domain)).toBe(admitted)
    expect(await admission.admits(b.domain)).toBe(false)
  })

  it.each([
    ['allow-list', null],
    ['deny-list', 'deny'],
  ] as const)('and %s keeps a provider out in both directions', async (FEDERATION, policy) => {
    await set(policy)
    const strict = await b.node({ FEDERATION })
    const before = a.proxy.seen.length
    expect(await ask(strict)).toEqual({ status: 403, type: 'peer-denied', signed: true })
    expect(await query(strict, a.domain)).toMatchObject({ kind: 'denied' })
    expect(a.proxy.seen).toHaveLength(before)
  })

  it('and a server that does not federate neither asks nor answers', async () => {
    const alone = await b.node({ FEDERATION: 'off' })
    expect(await query(alone, a.domain)).toMatchObject({ kind: 'denied' })
    expect(await ask(alone)).toMatchObject({ status: 404, signed: false })
    expect((await fetch(`${alone.url}/.well-known/mimi-protocol-directory`)).status).toBe(404)
  })
})
