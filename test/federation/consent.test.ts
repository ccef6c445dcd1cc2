import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import { Consents } from '../../src/federation/consent/consents.js'
import { encodeConsentEntry, type ConsentEntry } from '../../src/protocol/mimi/consent.js'
import { useFederation } from '../support/federated-world.js'
import type { Provider } from '../support/federation.js'
import { callPeer } from '../support/peer-call.js'
import { problemOf, type World } from '../support/world.js'

interface Listed {
  given: { requester: string; room?: string; state: string; changed_at: number }[]
  asked: { target: string; room?: string; state: string }[]
}

const consentsOf = (client: Client) => client.device.http.get<Listed>('/v1/consents')
const at = (user: string) => `/v1/consents/${encodeURIComponent(user)}`
const ask = (client: Client, target: string, room?: string) => client.device.http.post('/v1/consents', { target, ...(room && { room }) })
const decide = (client: Client, requester: string, body: object) => client.device.http.put<{ told: boolean }>(at(requester), body)
const ROOM = 'mimi://a.example/r/team'

describe('consent between users of two providers', () => {
  const federated = useFederation(2)
  const worlds = () => federated.worlds as [World, World]
  const providers = () => federated.providers as [Provider, Provider]
  const pair = async () => {
    const [[alice], [bob]] = await Promise.all([worlds()[0].cast('alice'), worlds()[1].cast('bob')])
    return { alice, bob }
  }

  it('is asked for, granted and told', async () => {
    const { alice, bob } = await pair()
    await ask(alice, bob.user)
    await ask(alice, bob.user, ROOM)
    expect((await consentsOf(bob)).given).toMatchObject([
      { requester: alice.user, state: 'requested', room: ROOM },
      { requester: alice.user, state: 'requested' },
    ])
    expect((await consentsOf(alice)).asked.map(({ state }) => state)).toEqual(['requested', 'requested'])
    expect(await decide(bob, alice.user, { state: 'granted', room: ROOM })).toEqual({ told: true })
    expect((await consentsOf(alice)).asked).toEqual([
      { target: bob.user, state: 'requested' },
      { target: bob.user, state: 'granted', room: ROOM },
    ])
  })

  it('is revoked without a word, unless the target wants it to be known', async () => {
    const { alice, bob } = await pair()
    await decide(bob, alice.user, { state: 'granted' })
    expect(await decide(bob, alice.user, { state: 'revoked' })).toEqual({ told: false })
    expect((await consentsOf(alice)).asked).toMatchObject([{ state: 'granted' }])
    expect((await consentsOf(bob)).given).toMatchObject([{ state: 'revoked' }])
    expect(await decide(bob, alice.user, { state: 'revoked', tell: true })).toEqual({ told: true })
    expect((await consentsOf(alice)).asked).toMatchObject([{ state: 'revoked' }])
  })

  it('stays revoked, however often it is asked for', async () => {
    const { alice, bob } = await pair()
    await decide(bob, alice.user, { state: 'revoked', tell: true })
    await ask(alice, bob.user)
    expect((await consentsOf(bob)).given).toMatchObject([{ state: 'revoked' }])
    expect((await consentsOf(alice)).asked).toMatchObject([{ state: 'requested' }])
    expect(await providers()[1].app.get(Consents).allows(alice.user, bob.user)).toBe(false)
  })

  it('is not asked for any more once the request is taken back, for that scope only', async () => {
    const { alice, bob } = await pair()
    await ask(alice, bob.user)
    await ask(alice, bob.user, ROOM)
    await alice.device.http.delete(at(bob.user))
    expect((await consentsOf(bob)).given).toMatchObject([{ state: 'requested', room: ROOM }])
    await alice.device.http.delete(`${at(bob.user)}?room=${encodeURIComponent(ROOM)}`)
    expect(await consentsOf(bob)).toEqual({ given: [], asked: [] })
    expect(await consentsOf(alice)).toEqual({ given: [], asked: [] })
    await alice.device.http.delete(at(bob.user))
  })

  it('is implied until it is revoked, for all rooms or for one', async () => {
    const { alice, bob } = await pair()
    const consents = providers()[1].app.get(Consents)
    const allowed = () => Promise.all([undefined, ROOM, `${ROOM}-2`].map((room) => consents.allows(alice.user, bob.user, room)))
    expect(await allowed()).toEqual([true, true, true])
    await decide(bob, alice.user, { state: 'revoked', room: ROOM })
    expect(await allowed()).toEqual([true, false, true])
    await decide(bob, alice.user, { state: 'revoked' })
    await decide(bob, alice.user, { state: 'granted', room: ROOM })
    expect(await allowed()).toEqual([false, false, false])
    await decide(bob, alice.user, { state: 'granted' })
    expect(await allowed()).toEqual([true, true, true])
  })

  it('says nothing about who has an account', async () => {
    const { alice } = await pair()
    await ask(alice, 'mimi://b.example/u/nobody-at-all')
    expect((await consentsOf(alice)).asked).toMatchObject([{ state: 'requested' }])
    const { rows } = await providers()[1].pool.query("SELECT FROM consent WHERE target LIKE '%nobody-at-all'")
    expect(rows).toHaveLength(0)
  })

  it('is between two', async () => {
    const { alice } = await pair()
    expect((await problemOf(ask(alice, alice.user))).status).toBe(400)
    expect((await problemOf(ask(alice, 'mimi://b.example/u/bob', 'mimi://b.example/u/bob'))).status).toBe(400)
  })

  describe('as a peer says it', () => {
    const say = async (operation: ConsentEntry['operation'], change: Partial<ConsentEntry> & { to?: string } = {}) => {
      const [a, b] = providers()
      const { to = b.domain, ...entry } = change
      const endpoint = operation === 'request' || operation === 'cancel' ? 'requestConsent' : 'updateConsent'
      const [theirs, ours] = ['mimi://a.example/u/x', 'mimi://b.example/u/y']
      const users = endpoint === 'requestConsent' ? { requester: theirs, target: ours } : { requester: ours, target: theirs }
      const body = encodeConsentEntry({ operation, ...users, roomId: undefined, keyPackages: [], ...entry })
      return (await callPeer(a, b, { endpoint, argument: to, body })).status
    }

    it.each<[string, number, () => Promise<number>]>([
      ['a request to nobody', 201, () => say('request')],
      ['a cancel of no request', 201, () => say('cancel')],
      ['a grant to nobody', 201, () => say('grant')],
      ['a requester of another provider', 403, () => say('request', { requester: 'mimi://c.example/u/x' })],
      ['a local requester', 403, () => say('request', { requester: 'mimi://b.example/u/x' })],
      ['a cancel for another provider', 403, () => say('cancel', { requester: 'mimi://c.example/u/x' })],
      ['a target elsewhere', 404, () => say('request', { target: 'mimi://c.example/u/y' })],
      ['a domain elsewhere', 404, () => say('request', { to: 'c.example' })],
      ['a grant by a target of another provider', 403, () => say('grant', { target: 'mimi://c.example/u/x' })],
      ['a revocation by a local target', 403, () => say('revoke', { target: 'mimi://b.example/u/x' })],
      ['a grant to a requester elsewhere', 404, () => say('grant', { requester: 'mimi://c.example/u/y' })],
      ['a client instead of a user', 422, () => say('request', { requester: 'mimi://a.example/d/x/y' })],
      ['a group instead of a room', 422, () => say('request', { roomId: 'mimi://a.example/g/x' })],
    ])('%s: %i', async (_what, status, said) => {
      expect(await said()).toBe(status)
    })

    it('is refused at the other endpoint', async () => {
      const [a, b] = providers()
      const users = { requester: 'mimi://a.example/u/x', target: 'mimi://b.example/u/y' }
      const body = encodeConsentEntry({ operation: 'grant', ...users, roomId: undefined, keyPackages: [] })
      expect((await callPeer(a, b, { endpoint: 'requestConsent', argument: b.domain, body })).status).toBe(422)
    })

    it('is kept of a hundred requesters at most, and the answer does not tell', async () => {
      const { bob } = await pair()
      const { pool } = providers()[1]
      await pool.query({
        text: `INSERT INTO consent (target, requester, room, state, asked_at)
               SELECT $1, 'mimi://a.example/u/r' || n, '', 'requested', now() FROM generate_series(1, 99) n`,
        values: [bob.user],
      })
      const more = ['x1', 'x2', 'x3'].map((name) => say('request', { requester: `mimi://a.example/u/${name}`, target: bob.user }))
      expect(await Promise.all(more)).toEqual([201, 201, 201])
      expect((await consentsOf(bob)).given).toHaveLength(100)
    })

    it('is kept of a hundred targets at most, where the requester has not asked', async () => {
      const { bob } = await pair()
      await providers()[1].pool.query({
        text: `INSERT INTO consent (target, requester, room, state, told)
               SELECT 'mimi://a.example/u/t' || n, $1, '', 'granted', 'granted' FROM generate_series(1, 99) n`,
        values: [bob.user],
      })
      const more = ['x1', 'x2', 'x3'].map((name) => say('grant', { requester: bob.user, target: `mimi://a.example/u/${name}` }))
      expect(await Promise.all(more)).toEqual([201, 201, 201])
      expect((await consentsOf(bob)).asked).toHaveLength(100)
    })
  })
})

describe('consent where it has to be explicit', () => {
  const federated = useFederation(2, { CONSENT: 'explicit' })

  it('is needed also among users of one server, but not for one’s own devices', async () => {
    const [alice, bob] = await federated.worlds[0]!.cast('alice', 'bob')
    const consents = federated.providers[0]!.app.get(Consents)
    expect(await consents.allows(alice.user, alice.user)).toBe(true)
    expect(await consents.allows(alice.user, bob.user)).toBe(false)
    await ask(alice, bob.user)
    expect(await consents.allows(alice.user, bob.user)).toBe(false)
    await decide(bob, alice.user, { state: 'granted', room: ROOM })
    expect(await consents.allows(alice.user, bob.user)).toBe(false)
    expect(await consents.allows(alice.user, bob.user, ROOM)).toBe(true)
    await decide(bob, alice.user, { state: 'granted' })
    expect(await consents.allows(alice.user, bob.user)).toBe(true)
    await decide(bob, alice.user, { state: 'revoked', room: ROOM })
    expect(await consents.allows(alice.user, bob.user, ROOM)).toBe(false)
    expect((await consentsOf(alice)).asked).toEqual([
      { target: bob.user, state: 'granted' },
      { target: bob.user, state: 'granted', room: ROOM },
    ])
  })

  it('is for other providers to ask of their own users', async () => {
    const consents = federated.providers[0]!.app.get(Consents)
    expect(await consents.allows('mimi://a.example/u/x', 'mimi://b.example/u/y')).toBe(true)
  })
})
