import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { generalVerify, importJWK, type GeneralJWS, type JWK } from 'jose'
import { readKeyDirectory } from '../../src/federation/identity/directory-document.js'
import { rotateProviderKey, withdrawProviderKeys } from '../../src/federation/identity/provider-key-rotation.js'
import { ProviderKeys } from '../../src/federation/identity/provider-keys.js'
import { forgetKeys } from '../../src/federation/peers/peer-directories.repository.js'
import { Secrets } from '../../src/platform/secrets.js'
import type { SigningKey } from '../../src/protocol/http-signature/profile.js'
import { askAs, query, signerOf } from '../support/peer-requests.js'
import { providersOfNodes, type ProviderOfNodes } from '../support/nodes.js'
import type { TestServer } from '../support/server.js'
import { madeKey, showDirectory, type Shown } from '../support/shown-directory.js'

const DIRECTORY = '/.well-known/mimi-protocol-directory'
const HOUR_MS = 3_600_000

let [a, b] = [] as unknown as [ProviderOfNodes, ProviderOfNodes]
let ours: TestServer
beforeAll(async () => {
  ;[a, b] = (await providersOfNodes(2)) as [ProviderOfNodes, ProviderOfNodes]
  ours = await a.node()
})
afterEach(() => Promise.all([a.keepOnly(ours), b.keepOnly()]))
afterAll(() => Promise.all([a.close(), b.close()]))

const fetches = () => a.proxy.seen.filter((part) => part === '.well-known').length

/** A request in the name of a to a node of b. */
const ask = async (node: TestServer, key: Partial<SigningKey> = {}, argument = 'room') =>
  askAs({ ...(await signerOf(ours)), ...key }, b, node, argument)

/** What stands at a's domain from now on, in the place of its own directory. */
const show = (shown: Shown) => showDirectory(a, ours, shown)

const peerAtB = async () => {
  const { rows } = await b.database.pool.query<{ alarm: string | null }>('SELECT alarm FROM peer WHERE domain = $1', [a.domain])
  const keys = await b.database.pool.query<{ id: string }>('SELECT key_id AS id FROM peer_key WHERE domain = $1 ORDER BY 1', [a.domain])
  return { alarm: rows[0]?.alarm, keys: keys.rows.map(({ id }) => id) }
}

describe('the directory', () => {
  it('says where every endpoint is, with one variable each, and which profiles are spoken', async () => {
    const response = await fetch(ours.url + DIRECTORY)
    const directory = (await response.json()) as Record<string, unknown>
    const variables = {
      keyMaterial: 'targetUser',
      update: 'roomId',
      notify: 'roomId',
      submitMessage: 'roomId',
      groupInfo: 'roomId',
      requestConsent: 'targetDomain',
      updateConsent: 'requesterDomain',
      identifierQuery: 'domain',
      reportAbuse: 'roomId',
      log: 'roomId',
      deleteRoom: 'roomId',
      operation: 'roomId',
      room: 'roomId',
      directory: 'user',
    }
    const templates = Object.entries(variables).map(([name, variable]) => [
      name,
      `${a.proxy.url}/mimi/v1/${name}?${variable}={${variable}}`,
    ])
    expect(directory).toMatchObject({ ...Object.fromEntries(templates), profiles: ['microchat-2'] })
  })

  it('is signed by each of its keys', async () => {
    const { key_directory } = (await (await fetch(ours.url + DIRECTORY)).json()) as { key_directory: GeneralJWS }
    const { keys } = JSON.parse(Buffer.from(key_directory.payload, 'base64url').toString()) as { keys: (JWK & { kid: string })[] }
    expect(keys).not.toHaveLength(0)
    for (const jwk of keys) {
      const { payload, protectedHeader } = await generalVerify(key_directory, await importJWK(jwk, 'EdDSA'))
      expect(protectedHeader).toEqual({ alg: 'EdDSA', kid: jwk.kid, typ: 'mimi-key-directory' })
      expect(JSON.parse(Buffer.from(payload).toString())).toMatchObject({ domain: a.domain, profiles: ['microchat-2'] })
    }
  })

  it('is one document at all nodes, and each has a time of its own', async () => {
    const shownBy = async (node: TestServer) => {
      const { key_directory: signed } = (await (await fetch(node.url + DIRECTORY)).json()) as { key_directory: { payload: string } }
      return { signed, issued: readKeyDirectory(signed as never)?.issued_at ?? 0 }
    }
    const others = [await a.node(), await a.node()]
    const first = await Promise.all([ours, ...others].map(shownBy))
    expect(new Set(first.map(({ signed }) => JSON.stringify(signed))).size).toBe(1)
    // Nodes of two releases show different features for a while; here another address.
    const moved = await a.node({ FEDERATION_URL: 'https://peers.a.example' })
    const times = [...first.slice(0, 1), await shownBy(moved), await shownBy(await a.node())].map(({ issued }) => issued)
    a.proxy.target = ours.url
    expect(new Set(times).size).toBe(3)
    expect(times).toEqual(times.toSorted((one, other) => one - other))
  })

  it('leads to an address in which the slashes of an id are one segment', async () => {
    expect(await ask(await b.node(), {}, 'mimi://a.example/r/x y?z')).toMatchObject({ status: 200 })
  })
})

describe('a rotation of the key', () => {
  const rotate = (leadMs: number) => rotateProviderKey(a.database.pool, new Secrets(ours.config), leadMs, 2 * HOUR_MS)
  const withdraw = () => withdrawProviderKeys(a.database.pool, new Secrets(ours.config))
  const pass = async (ms: number) => {
    await a.database.pool.query(
      `UPDATE provider_key SET signs_from = signs_from - make_interval(secs => $1), signs_until = signs_until - make_interval(secs => $1),
              published_until = published_until - make_interval(secs => $1)`,
      [ms / 1000],
    )
    await b.database.pool.query('UPDATE peer_key SET not_before = not_before - make_interval(secs => $1)', [ms / 1000])
  }

  it('with a lead is known to peers before the new key signs, and no request fails', async () => {
    const peer = await b.node()
    const old = await signerOf(ours)
    expect(await query(ours, b.domain)).toMatchObject({ status: 200 })
    expect(await rotate(HOUR_MS)).toBe(true)
    expect(await rotate(HOUR_MS)).toBe(false)

    const during = await a.node()
    expect((await signerOf(during)).keyId).toBe(old.keyId)
    await b.database.pool.query("UPDATE peer SET fetched_at = fetched_at - interval '2 hours'")
    const refreshed = await b.node()
    expect(await query(during, b.domain)).toMatchObject({ status: 200 })
    expect((await peerAtB()).keys).toHaveLength(2)

    await pass(HOUR_MS + 60_000)
    const before = fetches()
    const after = await a.node()
    const later = await b.node()
    expect((await signerOf(after)).keyId).not.toBe(old.keyId)
    expect(await query(after, b.domain)).toMatchObject({ status: 200 })
    expect(fetches()).toBe(before)
    for (const node of [refreshed, later]) expect(await ask(node, old)).toMatchObject({ status: 200 })
    expect(await ask(peer, await signerOf(after))).toMatchObject({ status: 200 })

    await pass(3 * HOUR_MS)
    const gone = await a.node()
    await b.database.pool.query("UPDATE peer SET fetched_at = fetched_at - interval '2 hours'")
    const late = await b.node()
    expect(await query(gone, b.domain)).toMatchObject({ status: 200 })
    expect(await ask(late, old)).toMatchObject({ status: 401, type: 'key-unknown' })
    ours = gone
  })

  it('at once, after a theft, withdraws the old key: peers refuse it from the first request with the new one on', async () => {
    const peer = await b.node()
    expect(await query(ours, b.domain)).toMatchObject({ status: 200 })
    const stolen = await signerOf(ours)
    await withdraw()
    const next = await a.node()
    const signer = await signerOf(next)
    expect(signer.keyId).not.toBe((await signerOf(ours)).keyId)
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(peer, signer)))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    expect(await query(next, b.domain)).toMatchObject({ status: 200 })
    expect((await peerAtB()).keys).toEqual([signer.keyId])
    for (const node of [peer, await b.node()]) expect(await ask(node, stolen)).toMatchObject({ status: 401, type: 'key-unknown' })
    ours = next
  })

  it('at once does not wait for another that is under way, whose key is withdrawn, too', async () => {
    expect(await rotate(HOUR_MS)).toBe(true)
    const during = await a.node()
    expect(await during.app.get(ProviderKeys).published()).toHaveLength(2)
    await withdraw()
    const next = await a.node()
    const published = await next.app.get(ProviderKeys).published()
    expect(published).toMatchObject([{ signs: true }])
    expect(await rotate(HOUR_MS)).toBe(true)
    ours = next
  })

  it('leaves the old keys to sign the directory, by which a peer that knows only them learns of the new one', async () => {
    const peer = await b.node()
    const { keyId } = await signerOf(ours)
    expect(await ask(peer)).toMatchObject({ status: 200 })
    expect((await peerAtB()).keys).toContain(keyId)
    for (let times = 0; times < 3; times++) await withdraw()
    const next = await a.node()
    expect(await ask(await b.node(), await signerOf(next))).toMatchObject({ status: 200 })
    expect(await peerAtB()).toEqual({ alarm: null, keys: [(await signerOf(next)).keyId] })
    ours = next
  })
})

describe('an unknown key id', () => {
  it('is looked for once, and not again at once', async () => {
    expect(await ask(await b.node())).toMatchObject({ status: 200 }) // the directory that is stored has our key by now
    const peer = await b.node()
    const before = fetches()
    expect(await ask(peer, { keyId: 'unknown' })).toMatchObject({ status: 401, type: 'key-unknown' })
    expect(fetches()).toBe(before + 1)
    for (const keyId of ['unknown', 'other']) expect((await ask(peer, { keyId })).status).toBe(401)
    expect(fetches()).toBe(before + 1)
    expect(await ask(peer)).toMatchObject({ status: 200 })
  })
})

describe('a directory that is not the provider’s', () => {
  const rogue = madeKey()
  let peer: TestServer
  beforeEach(async () => {
    a.proxy.fault = 'none'
    peer = await b.node()
    // The honest one is known, as of now, and there is no alarm.
    expect(await ask(peer, { keyId: 'made-up' })).toMatchObject({ status: 401 })
    expect((await peerAtB()).alarm).toBeNull()
    peer = await b.node()
  })
  afterAll(() => void (a.proxy.fault = 'none'))

  it.each<[string, () => Shown, string]>([
    ['is signed by a new key only', () => ({ keys: [rogue] }), 'no key that is trusted has signed it'],
    ['is an old one', () => ({ now: new Date(Date.now() - 60_000) }), 'it is older than one that was trusted'],
    ['is of another domain', () => ({ domain: 'c.example' }), 'it is of another domain'],
    ['has expired', () => ({ now: new Date(Date.now() - 8 * 86_400_000) }), 'it has expired'],
    ['is of the future', () => ({ now: new Date(Date.now() + 600_000) }), 'it is of the future'],
  ])('as it %s is not believed: an alarm, and the keys from before', async (_how, made, alarm) => {
    const { keys } = await peerAtB()
    await show(made())
    expect(await ask(peer, rogue)).toMatchObject({ status: 401, type: 'key-unknown' })
    expect(await peerAtB()).toEqual({ alarm, keys })
    expect(await ask(peer)).toMatchObject({ status: 200 })
  })

  it.each([
    ['two keys of one id', { keys: [madeKey(), madeKey()] }],
    ['a time that no calendar has', { keys: [{ ...madeKey(), notBefore: new Date(8.64e15) }] }],
    ['a profile with a NUL', { profiles: ['microchat-2\u0000'] }],
  ])('as it has %s is none, and costs nobody a 500', async (_what, made: Shown) => {
    const { keys } = await peerAtB()
    await forgetKeys(b.database.pool, a.domain)
    await show({ ...made }).catch(() => undefined)
    expect(await ask(peer, rogue)).toMatchObject({ status: 401, type: 'key-unknown' })
    a.proxy.fault = 'none'
    expect(await ask(await b.node())).toMatchObject({ status: 200 })
    expect((await peerAtB()).keys).toEqual(keys)
  })

  it('is believed once the operator has forgotten the keys, and the old ones are not', async () => {
    await show({ keys: [rogue] })
    expect(await ask(peer, rogue)).toMatchObject({ status: 401 })
    await forgetKeys(b.database.pool, a.domain)
    const trusting = await b.node()
    expect(await ask(trusting, rogue)).toMatchObject({ status: 200 })
    expect(await peerAtB()).toEqual({ alarm: null, keys: ['rogue'] })
    expect(await ask(trusting)).toMatchObject({ status: 401, type: 'key-unknown' })
    await forgetKeys(b.database.pool, a.domain)
  })
})
