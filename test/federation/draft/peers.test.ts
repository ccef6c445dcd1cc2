import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { eventually } from '../../support/eventually.js'
import { TestAuthority } from './peer/certificates.js'
import type { Chat } from './peer/chat.js'
import { DraftNetwork, people } from './peer/network.js'
import { CONSENT, QUERY_CODES, SEARCH } from './peer/other-bodies.js'
import type { DraftProvider } from './peer/provider.js'
import { UPDATE_CODES } from './peer/room-bodies.js'
import type { Wrong } from './peer/transport.js'
import { userUri } from './peer/uris.js'

// The draft's peer against itself: whatever the server does not do with it is then not the peer's fault.

const network = new DraftNetwork()
let a: DraftProvider
let b: DraftProvider
let c: DraftProvider
beforeAll(async () => {
  a = await network.start('a.example')
  b = await network.start('b.example')
  c = await network.start('c.example', { openToAll: false })
})
afterAll(() => network.close())

let serial = 0
async function person(provider: DraftProvider, name: string, ...devices: string[]): Promise<Chat[]> {
  return people(provider, `${name}${++serial}`, devices.length > 0 ? devices : ['phone'])
}

const joined = (chat: Chat, room: string) => eventually(() => chat.device.groups.has(room), Boolean)

/** All of them have read exactly these texts, in this order, and are in one epoch. */
async function heard(room: string, chats: readonly Chat[], texts: readonly string[]): Promise<void> {
  for (const { device } of chats)
    await eventually(
      () => device.group(room).texts.length,
      (count) => count >= texts.length,
    )
  const epoch = Math.max(...chats.map(({ device }) => device.group(room).epoch))
  for (const { device } of chats)
    await eventually(
      () => device.group(room).epoch,
      (own) => own === epoch,
    )
  for (const { device } of chats) expect(device.group(room)).toMatchObject({ texts, failures: [] })
  expect(new Set(chats.map(({ device }) => device.group(room).authenticator)).size).toBe(1)
}

describe('two providers that speak the draft alone', () => {
  it('chat in a room of one of them, in both directions', async () => {
    const [alice] = await person(a, 'alice')
    const [bob, laptop] = await person(b, 'bob', 'phone', 'laptop')
    const room = await alice!.createRoom('first')
    await alice!.add(room, bob!.device.user)
    await Promise.all([joined(bob!, room), joined(laptop!, room)])
    await alice!.send(room, 'hello')
    await heard(room, [alice!, bob!, laptop!], ['hello'])
    await bob!.send(room, 'hello yourself')
    await heard(room, [alice!, bob!, laptop!], ['hello', 'hello yourself'])
    await laptop!.refresh(room)
    await heard(room, [alice!, bob!, laptop!], ['hello', 'hello yourself'])
  })

  it('take in users of a third provider whom a follower’s user adds, with KeyPackages over the hub, once they consent', async () => {
    const [alice] = await person(a, 'alice')
    const [bob] = await person(b, 'bob')
    const [cathy] = await person(c, 'cathy')
    const room = await alice!.createRoom('third')
    await alice!.add(room, bob!.device.user)
    await joined(bob!, room)
    await expect(bob!.add(room, cathy!.device.user)).rejects.toThrow('cannot be added: 5')
    expect(await bob!.requestConsent(cathy!.device.user, room)).toBe(201)
    expect(c.users.heard).toMatchObject([{ operation: CONSENT.request, requester: bob!.device.user, target: cathy!.device.user, room }])
    expect(await cathy!.decideConsent(bob!.device.user, true, room)).toBe(201)
    expect(b.users.heard).toMatchObject([{ operation: CONSENT.grant, requester: bob!.device.user, target: cathy!.device.user, room }])
    await bob!.add(room, cathy!.device.user)
    await joined(cathy!, room)
    await cathy!.send(room, 'here')
    await heard(room, [cathy!], ['here'])
    await heard(room, [alice!, bob!, cathy!], ['here'])
  })

  it('order two Commits of one epoch', async () => {
    const [alice] = await person(a, 'alice')
    const [bob] = await person(b, 'bob')
    const room = await alice!.createRoom('race')
    await alice!.add(room, bob!.device.user)
    await joined(bob!, room)
    const outcomes = await Promise.all([alice!, bob!].map((one) => one.tryCommit(room, () => [])))
    expect(outcomes.map(({ code }) => code).sort()).toEqual([UPDATE_CODES.success, UPDATE_CODES.wrongEpoch])
    expect(outcomes.find(({ code }) => code === UPDATE_CODES.wrongEpoch)?.currentEpoch).toBe(2n)
    await Promise.all([alice!, bob!].map((one) => one.refresh(room)))
    await alice!.send(room, 'one group')
    await heard(room, [alice!, bob!], ['one group'])
  })

  it('let a further device, and who knows the joining code, in by an external Commit', async () => {
    const [alice] = await person(a, 'alice')
    const [bob, laptop] = await person(b, 'bob', 'phone', 'laptop')
    const [mallory] = await person(b, 'mallory')
    const room = await alice!.createRoom('door', { joiningCode: 'sesame' })
    await expect(mallory!.joinExternally(room)).rejects.toThrow('No GroupInfo: 2')
    await bob!.joinExternally(room, 'sesame')
    await laptop!.joinExternally(room)
    await laptop!.send(room, 'in')
    await heard(room, [alice!, bob!, laptop!], ['in'])
  })

  it('carry out that a user leaves, and that another is removed', async () => {
    const [alice] = await person(a, 'alice')
    const [bob, laptop] = await person(b, 'bob', 'phone', 'laptop')
    const [carl] = await person(b, 'carl')
    const room = await alice!.createRoom('leaving')
    await alice!.add(room, bob!.device.user, carl!.device.user)
    await Promise.all([bob!, laptop!, carl!].map((one) => joined(one, room)))
    await bob!.leave(room)
    await eventually(
      () => alice!.device.group(room).waiting,
      (count) => count === 2,
    )
    await alice!.send(room, 'bye')
    await eventually(
      () => [bob!, laptop!].map(({ device }) => device.group(room).standing),
      (both) => both.every((one) => one === 'removed'),
    )
    await heard(room, [alice!, carl!], ['bye'])
    await alice!.removeUser(room, carl!.device.user)
    await eventually(
      () => carl!.device.group(room).standing,
      (standing) => standing === 'removed',
    )
    await expect(
      carl!.submit(room, { message: await alice!.device.group(room).encrypt('late'), sender: carl!.device.user }),
    ).resolves.toMatchObject({ code: 1 })
  })

  it('find users, and take reports of abuse', async () => {
    const user = `findable${++serial}`
    await people(b, user, ['phone'], { handle: `im:${user}@b.example`, name: 'Fay Finder' })
    const [alice] = await person(a, 'alice')
    const found = await alice!.find(
      'b.example',
      { type: SEARCH.handle, value: `im:${user}@b.example` },
      { type: SEARCH.partialName, value: 'fay' },
    )
    expect(found).toEqual({ code: QUERY_CODES.success, uris: [userUri('b.example', user)] })
    expect(await alice!.find('b.example', { type: SEARCH.handle, value: 'im:nobody@b.example' })).toMatchObject({
      code: QUERY_CODES.notFound,
    })
    const [bob] = await person(b, 'bob')
    const room = await alice!.createRoom('reported')
    await alice!.add(room, bob!.device.user)
    await joined(bob!, room)
    expect(await bob!.report(room, { abuser: alice!.device.user, reason: 0, note: 'rude' })).toBe(201)
    expect(a.reports).toMatchObject([{ room, reporter: bob!.device.user, abuser: alice!.device.user, note: 'rude' }])
  })

  it('do not take a certificate of another domain, of another authority or none', async () => {
    const ask = (wrong: Wrong) => a.caller.post('b.example', 'identifierQuery', 'b.example', new Uint8Array(), wrong)
    expect((await ask({ from: 'c.example' })).status).toBe(403)
    expect((await ask({ identity: network.authority.issue('c.example') })).status).toBe(403)
    await expect(ask({ identity: new TestAuthority('another').issue('a.example') })).rejects.toThrow()
    await expect(ask({ identity: undefined })).rejects.toThrow()
  })
})

describe('the draft’s peer', () => {
  it('is built on ts-mls and node alone, not on what it tests', () => {
    const folder = new URL('peer/', import.meta.url)
    const sources = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), 'utf8'))
    const imported = sources.flatMap((source) => [...source.matchAll(/ from '([^']+)'/g)].map(([, from]) => from))
    expect(imported.length).toBeGreaterThan(sources.length)
    expect(imported.filter((from) => !/^(\.\/[\w-]+\.js|node:\w+|ts-mls(\/.+)?)$/.test(from ?? ''))).toEqual([])
  })
})
