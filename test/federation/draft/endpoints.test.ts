import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../../examples/client/client.js'
import { listAbuseReports } from '../../../src/federation/abuse/abuse-reports.repository.js'
import { eventually } from '../../support/eventually.js'
import { draftUser, entered, plainGroup, roomOf, useDraftWorld } from './draft-world.js'
import { CLIENT_CODES, USER_CODES } from './peer/key-material.js'
import { CONSENT, QUERY_CODES, SEARCH } from './peer/other-bodies.js'
import { userUri } from './peer/uris.js'

interface Listed {
  given: { requester: string; room?: string; state: string }[]
  asked: { target: string; room?: string; state: string }[]
}
const consentsOf = (client: Client) => client.device.http.get<Listed>('/v1/consents')
const consentPath = (user: string) => `/v1/consents/${encodeURIComponent(user)}`
const nameOf = (user: string): string => user.split('/u/')[1] ?? ''

describe('each endpoint of the draft, between the server and a provider that speaks nothing else', () => {
  const draft = useDraftWorld()

  it('keyMaterial hands out one KeyPackage per device, never twice, and says noConsent of whom it does not know (§5.2)', async () => {
    const [alice] = await draft.world.cast('alice/phone', 'alice/laptop')
    const [bob] = await draftUser(draft.b, 'bob')
    const room = await bob!.createRoom('claims')
    const answers = [await bob!.claim(room, alice.user), await bob!.claim(room, alice.user)]
    for (const answer of answers) {
      expect(answer).toMatchObject({ status: USER_CODES.success, user: alice.user })
      expect(answer.clients).toMatchObject([{ status: CLIENT_CODES.success }, { status: CLIENT_CODES.success }])
    }
    const packages = answers.flatMap(({ clients }) => clients.map(({ keyPackage }) => Buffer.from(keyPackage ?? []).toString('hex')))
    expect(new Set(packages).size).toBe(4)
    const unknown = await bob!.claim(room, userUri('a.example', 'nobody'))
    expect(unknown.clients).toEqual([])
    expect([USER_CODES.noConsent, USER_CODES.userUnknown]).toContain(unknown.status)
  })

  it('keyMaterial of a user who has revoked consent is refused (§5.2)', async () => {
    const [alice] = await draft.world.cast('alice')
    const [bob] = await draftUser(draft.b, 'bob')
    const room = await bob!.createRoom('revoked')
    await alice.device.http.put(consentPath(bob!.device.user), { state: 'revoked' })
    expect(await bob!.claim(room, alice.user)).toMatchObject({ status: USER_CODES.noConsent, clients: [] })
  })

  it('requestConsent and updateConsent go both ways, for a room and for all (§5.7)', async () => {
    const [alice] = await draft.world.cast('alice')
    const [bob] = await draftUser(draft.b, 'bob')
    const room = 'mimi://b.example/r/party'
    expect(await bob!.requestConsent(alice.user, room)).toBe(201)
    expect(await bob!.requestConsent(alice.user)).toBe(201)
    const { given } = await consentsOf(alice)
    expect(given.map((one) => [one.requester, one.state, one.room ?? '']).toSorted()).toEqual([
      [bob!.device.user, 'requested', ''],
      [bob!.device.user, 'requested', room],
    ])
    expect(await bob!.requestConsent(alice.user, room, CONSENT.cancel)).toBe(201)
    expect((await consentsOf(alice)).given).toMatchObject([{ requester: bob!.device.user, state: 'requested' }])
    expect(await alice.device.http.put(consentPath(bob!.device.user), { state: 'granted' })).toEqual({ told: true })
    await eventually(
      () => draft.b.users.heard,
      (heard) => heard.some((one) => one.operation === CONSENT.grant),
    )
    expect(draft.b.users.heard.at(-1)).toMatchObject({ operation: CONSENT.grant, requester: bob!.device.user, target: alice.user })

    await alice.device.http.post('/v1/consents', { target: bob!.device.user })
    await eventually(
      () => draft.b.users.heard.at(-1)?.operation,
      (operation) => operation === CONSENT.request,
    )
    expect(draft.b.users.heard.at(-1)).toMatchObject({ requester: alice.user, target: bob!.device.user, room: undefined })
    expect(await bob!.decideConsent(alice.user, true)).toBe(201)
    expect((await consentsOf(alice)).asked).toMatchObject([{ target: bob!.device.user, state: 'granted' }])
    expect(await bob!.requestConsent(userUri('a.example', 'nobody'))).toBe(201)
  })

  it('identifierQuery finds users by what they allow, both ways (§5.8)', async () => {
    const [alice] = await draft.world.cast('alice')
    const [bob] = await draftUser(draft.b, 'bob')
    const name = nameOf(alice.user)
    for (const element of [
      { type: SEARCH.nick, value: name },
      { type: SEARCH.handle, value: `${name}@a.example` },
    ]) {
      expect(await bob!.find('a.example', element)).toEqual({ code: QUERY_CODES.success, uris: [alice.user] })
    }
    expect(await bob!.find('a.example', { type: SEARCH.nick, value: 'nobody-at-all' })).toEqual({ code: QUERY_CODES.notFound, uris: [] })
    expect((await bob!.find('a.example', { type: SEARCH.phone, value: '+12125551212' })).code).toBe(QUERY_CODES.unsupportedField)
    await alice.device.http.put('/v1/me/searchable', { searchable: false })
    expect((await bob!.find('a.example', { type: SEARCH.nick, value: name })).code).toBe(QUERY_CODES.notFound)

    const asked = await alice.device.http.post<{ uris: string[] }>('/v1/identifier-queries', {
      domain: 'b.example',
      handle: nameOf(bob!.device.user),
    })
    expect(asked.uris).toEqual([bob!.device.user])
  })

  it('reportAbuse reaches the hub, both ways (§5.9)', async () => {
    const [alice] = await draft.world.cast('alice')
    const [bob] = await draftUser(draft.b, 'bob')
    const group = await plainGroup(draft.world, alice)
    const room = await roomOf(group)
    await group.add(bob!.device.user)
    await entered(bob!, room)
    expect(await bob!.report(room, { abuser: alice.user, reason: 0, note: 'rude' })).toBe(201)
    const kept = await listAbuseReports(draft.server.pool, { closed: false, limit: 100 })
    expect(kept.filter(({ roomId }) => roomId === room)).toMatchObject([
      { provider: 'b.example', reporter: bob!.device.user, allegedAbuser: alice.user, note: 'rude' },
    ])
  })

  it('update, submitMessage and reportAbuse of who is not in the room are answered as if it were not there (§5.3, §5.4)', async () => {
    const [alice] = await draft.world.cast('alice')
    const [bob] = await draftUser(draft.b, 'bob')
    const group = await plainGroup(draft.world, alice)
    const room = await roomOf(group)
    const own = await bob!.createRoom('elsewhere')
    // As for a room that is not there: nobody learns which rooms there are.
    for (const uri of [room, `${room}-not`]) {
      const message = await bob!.device.group(own).encrypt('of another room')
      await expect(bob!.submit(uri, { message, sender: bob!.device.user })).rejects.toThrow('answers 404')
      await expect(
        bob!.device
          .group(own)
          .commit([])
          .then((bundle) => bob!.update(uri, bundle)),
      ).rejects.toThrow('answers 404')
    }
    const outsider = await bob!.report(room, { abuser: alice.user, reason: 0, note: '' })
    expect([403, 404]).toContain(outsider)
  })
})
