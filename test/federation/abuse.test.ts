import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { listAbuseReports } from '../../src/federation/abuse/abuse-reports.repository.js'
import { encodeAbuseReport } from '../../src/protocol/mimi/report-abuse.js'
import { cli } from '../support/cli.js'
import { useFederation } from '../support/federated-world.js'
import type { Provider } from '../support/federation.js'
import { callPeer } from '../support/peer-call.js'
import { testEnvironment } from '../support/server.js'
import { agreed, problemOf, type World } from '../support/world.js'

const report = (client: Client, group: Group, body: object) => client.device.http.post(`${group.path}/abuse-reports`, body)

describe('reports of abuse', () => {
  const federated = useFederation(2)
  const worlds = () => federated.worlds as [World, World]
  const hub = () => federated.providers[0]!
  const kept = async (roomId: string) => {
    const all = await listAbuseReports(hub().pool, { closed: false, limit: 1_000 })
    return all.filter((one) => one.roomId === roomId)
  }
  const room = async () => {
    const [[alice, carol], [bob, dave]] = await Promise.all([worlds()[0].cast('alice', 'carol'), worlds()[1].cast('bob', 'dave')])
    const name = worlds()[0].unique('room')
    const group = await worlds()[0].group(alice, [bob], { room: `${name}-${alice.user.split('/u/')[1]}` })
    await agreed([bob], group)
    const { room: roomId } = await alice.device.http.get<{ room: string }>(group.path)
    return { alice, bob, carol, dave, group, roomId }
  }

  it('by members here and elsewhere wait at the hub for the operator, who closes them', async () => {
    const { alice, bob, group, roomId } = await room()
    await report(alice, group, { alleged_abuser: bob.user, note: 'rude\n\u{1b}[2J' })
    await report(bob, group, { alleged_abuser: alice.user, reason: 7, note: 'ruder\0' })
    await report(bob, group, { alleged_abuser: alice.user, reason: 7, note: 'ruder\0' })
    const [first, second, ...others] = await kept(roomId)
    expect(others).toEqual([])
    expect(first).toMatchObject({ provider: 'a.example', reporter: alice.user, allegedAbuser: bob.user, reason: 0, messages: 0 })
    expect(second).toMatchObject({ provider: 'b.example', reporter: bob.user, allegedAbuser: alice.user, reason: 7, note: 'ruder\uFFFD' })
    expect(await listAbuseReports(federated.providers[1]!.pool, { closed: false, limit: 9 })).toEqual([])

    const environment = testEnvironment(hub().config.DATABASE_URL ?? '')
    const lines = (await cli('reports list', environment)).out.trim().split('\n')
    expect(lines.find((line) => line.startsWith(`${first!.id} `))).toContain(
      `${roomId}  ${bob.user}, by ${alice.user}: reason 0, 0 messages. "rude\\n\\u001b[2J"`,
    )
    expect(await cli(`reports close ${first!.id}`, environment)).toMatchObject({ code: 0, out: `Report ${first!.id} is closed.\n` })
    expect((await cli(`reports close ${first!.id}`, environment)).code).toBe(1)
    expect((await kept(roomId)).map(({ id }) => id)).toEqual([second!.id])
    expect((await cli('reports list --closed', environment)).out).toContain(roomId)
    await report(alice, group, { alleged_abuser: bob.user, note: 'rude\n\u{1b}[2J' })
    expect(await kept(roomId)).toHaveLength(2)
  })

  it('are for members only', async () => {
    const { bob, carol, dave, group, roomId } = await room()
    for (const one of [carol, dave]) expect((await problemOf(report(one, group, { alleged_abuser: bob.user }))).kind).toBe('not-found')
    expect(await kept(roomId)).toEqual([])
    const elsewhere = report(carol, { path: '/v1/groups/bm9uZQ' } as Group, { alleged_abuser: bob.user })
    expect((await problemOf(elsewhere)).kind).toBe('not-found')
  })

  it('have a note of some length and a reason of one byte', async () => {
    const { bob, group } = await room()
    for (const wrong of [{ note: 'x'.repeat(2_001) }, { reason: 256 }, { alleged_abuser: 'bob' }])
      expect((await problemOf(report(bob, group, { alleged_abuser: bob.user, ...wrong }))).status).toBe(400)
    await report(bob, group, { alleged_abuser: bob.user, note: '\u{ffff}'.repeat(2_000) })
  })

  it('are taken of providers with members in the room, about whomever, by their own users or unnamed', async () => {
    const { alice, bob, roomId } = await room()
    const say = async (change: { reportingUser?: string; allegedAbuser?: string; room?: string; body?: Uint8Array } = {}) => {
      const { room: argument = roomId, body, ...other } = change
      const entry = { reportingUser: bob.user, allegedAbuser: alice.user, reasonCode: 0, note: '', ...other }
      const [a, b] = federated.providers as [Provider, Provider]
      return (await callPeer(b, a, { endpoint: 'reportAbuse', argument, body: body ?? encodeAbuseReport(entry) })).status
    }
    expect(await say()).toBe(201)
    expect(await say({ reportingUser: '', allegedAbuser: 'mimi://c.example/d/x/y' })).toBe(201)
    expect(await say({ reportingUser: alice.user })).toBe(403)
    expect(await say({ reportingUser: bob.device.client })).toBe(422)
    expect(await say({ allegedAbuser: 'x\n' })).toBe(422)
    expect(await say({ body: Buffer.of(1) })).toBe(422)
    expect(await say({ room: 'mimi://b.example/r/x' })).toBe(404)
    expect(await say({ room: 'mimi://a.example/r/nowhere' })).toBe(404)
    expect(await say({ room: 'nowhere' })).toBe(404)
    const [erin] = await worlds()[0].cast('erin')
    const alone = await worlds()[0].group(erin, [], { room: `alone-${erin.user.split('/u/')[1]}` })
    const { room: unknown } = await erin.device.http.get<{ room: string }>(alone.path)
    expect(await say({ room: unknown })).toBe(404)
    expect((await kept(roomId)).map(({ reporter }) => reporter)).toEqual([bob.user, ''])
  })
})

describe('many reports of abuse', () => {
  const federated = useFederation(2, { ABUSE_REPORTS_PER_HOUR: '2', ABUSE_REPORTS_PER_PEER_PER_HOUR: '3' })

  it('are limited per reporter and per peer', async () => {
    const [home, away] = federated.worlds as [World, World]
    const [[alice], [bob, dave]] = await Promise.all([home.cast('alice'), away.cast('bob', 'dave')])
    const group = await home.group(alice, [bob, dave], { room: `busy-${alice.user.split('/u/')[1]}` })
    await agreed([bob, dave], group)
    const { room } = await alice.device.http.get<{ room: string }>(group.path)
    const [a, b] = federated.providers as [Provider, Provider]
    const say = async (reportingUser: string, note: string) => {
      const body = encodeAbuseReport({ reportingUser, allegedAbuser: alice.user, reasonCode: 0, note })
      return (await callPeer(b, a, { endpoint: 'reportAbuse', argument: room, body })).status
    }
    const statuses: number[] = []
    for (const [who, note] of [
      [bob, '1'],
      [bob, '2'],
      [bob, '3'],
      [dave, '4'],
    ] as const)
      statuses.push(await say(who.user, note))
    expect(statuses).toEqual([201, 201, 429, 429])
    const direct = async () =>
      (
        await fetch(`${a.url}${group.path}/abuse-reports`, {
          method: 'POST',
          headers: { ...alice.device.http.credentials('POST', `${a.url}${group.path}/abuse-reports`), 'content-type': 'application/json' },
          body: JSON.stringify({ alleged_abuser: bob.user }),
        })
      ).status
    expect([await direct(), await direct(), await direct()]).toEqual([204, 204, 429])
  })
})
