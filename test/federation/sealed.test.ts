import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { Relayed } from '../../examples/client/sealed/relayed.js'
import { sealedRequest, type SealedRequest } from '../../examples/client/sealed/sealed-post.js'
import { SealedSender } from '../../examples/client/sealed/sealed-sender.js'
import { publishSenderKey, senderKey } from '../../examples/client/sealed/sender-key.js'
import { fromUtf8 } from '../../examples/client/wire.js'
import { purseOf, sealedSenders, SMALL_BATCHES } from '../sealed/sealed-sender-fixture.js'
import { messageOf } from '../sealed/sealed-server-fixture.js'
import { useFederation } from '../support/federated-world.js'
import { agreed, at, heard, MODES_AND_SUITES, problemOf, type World } from '../support/world.js'

const HUB = 'a.example'

/** Tokens of the hub, and a way there by the client's own server. */
async function relayed(world: World, client: Client, group: Group): Promise<SealedSender> {
  const [purse, fare] = [purseOf(client, HUB), purseOf(client, world.domain)]
  await Promise.all([purse.fill(), fare.fill()])
  const relay = new Relayed(world.url, HUB, fare)
  const sender = new SealedSender(
    at(client, group),
    purse,
    (request) => relay.send(request),
    async () => {},
  )
  await sender.prepare()
  return sender
}

describe.each(MODES_AND_SUITES)('members of three providers who post without saying who, in %s mode, suite %i', (mode, suite) => {
  const federated = useFederation(3, SMALL_BATCHES)

  it('reach each other through the hub, by way of their own servers', async () => {
    const [home, away, further] = federated.worlds as [World, World, World]
    const [[alice], [bob], [carol]] = await Promise.all([home.cast('alice'), away.cast('bob'), further.cast('carol')])
    const group = await home.group(alice, [bob, carol], { mode, suite })
    await agreed([bob, carol], group)
    const [ofAlice] = await sealedSenders(home, group, [alice])
    const [ofBob, ofCarol] = await Promise.all([relayed(away, bob, group), relayed(further, carol, group)])
    await ofBob.post('from b')
    await ofAlice!.post('from a')
    await ofCarol.post('from c')
    await heard([alice, bob, carol], group, ['from b', 'from a', 'from c'])
    expect(at(alice, group).record.messages.map(({ from }) => from)).toEqual([bob.uri, alice.uri, carol.uri])
  })
})

describe('between a relay and a hub', () => {
  const federated = useFederation(2, { ...SMALL_BATCHES, TOKENS_PER_ACCOUNT: '8', TOKENS_PER_PEER: '12' })
  const setting = async () => {
    const [home, away] = federated.worlds as [World, World]
    const [[alice], [bob]] = await Promise.all([home.cast('alice'), away.cast('bob')])
    const group = await home.group(alice, [bob])
    await agreed([bob], group)
    return { home, away, alice, bob, group }
  }

  it('tokens are of one key for all, and neither the hub nor the home server keeps for whom', async () => {
    const { alice, bob } = await setting()
    const [own, ofBob] = [purseOf(alice, HUB), purseOf(bob, HUB)]
    await Promise.all([own.fill(), ofBob.fill()])
    expect(own.tokens[0]?.authInput.tokenKeyId).toEqual(ofBob.tokens[0]?.authInput.tokenKeyId)
    const [hub, follower] = federated.providers
    const holders = async (pool: NonNullable<typeof hub>['pool']) =>
      (await pool.query<{ holder: string; issued: number }>('SELECT holder, issued FROM token_quota')).rows
    expect(await holders(hub!.pool)).toEqual(expect.arrayContaining([{ holder: 'b.example', issued: 4 }]))
    expect((await holders(hub!.pool)).map(({ holder }) => holder)).not.toContain(bob.user)
    expect(await holders(follower!.pool)).toEqual([{ holder: bob.user, issued: 4 }])
  })

  it('quotas hold: of the user at home, and of the provider at the hub', async () => {
    const { away, bob } = await setting()
    const purse = purseOf(bob, HUB)
    await purse.fill()
    await purse.fill()
    expect((await problemOf(purse.fill())).kind).toBe('token-quota')
    const [dave] = await away.cast('dave')
    // Four of the test before, and eight: the provider has had its twelve.
    expect((await problemOf(purseOf(dave, HUB).fill())).kind).toBe('rate-limited')
  })

  it('the relay takes a token of its own, once; what the hub says comes from inside of the envelope', async () => {
    const { home, away, alice, bob, group } = await setting()
    const [sender] = await sealedSenders(home, group, [alice])
    await sender!.post('hello')
    const fare = purseOf(bob, away.domain)
    await fare.fill()
    const watched = { take: () => fare.tokens[0]! }
    const relay = new Relayed(away.url, HUB, watched as never)
    const request: SealedRequest = { path: '/v1/sealed/AA/0/messages', headers: { 'content-type': 'message/mls' }, body: new Uint8Array(9) }
    const first = await problemOf(relay.send(request))
    // From inside of the envelope: the hub saw no token.
    expect([first.status, first.kind]).toEqual([401, 'token-required'])
    expect((await problemOf(relay.send(request))).kind).toBe('token-spent')
  })

  it('no row at the hub says whose relay has brought an envelope, or when', async () => {
    const { away, bob } = await setting()
    const fare = purseOf(bob, away.domain)
    await fare.fill()
    const relay = new Relayed(away.url, HUB, fare)
    const request: SealedRequest = { path: '/v1/sealed/AA/0/messages', headers: { 'content-type': 'message/mls' }, body: new Uint8Array(9) }
    const { pool } = federated.providers[0]!
    const named = async () => {
      const tables = await pool.query<{ name: string }>(
        `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN ('peer', 'peer_cursor')`,
      )
      const heardAt = await pool.query<{ row: string }>(`SELECT last_inbound_at::text AS row FROM peer WHERE domain = 'b.example'`)
      const rows = [...heardAt.rows]
      for (const { name } of tables.rows)
        rows.push(...(await pool.query<{ row: string }>(`SELECT t::text AS row FROM "${name}" t WHERE t::text LIKE '%b.example%'`)).rows)
      return rows.map(({ row }) => row)
    }
    // The first brings the keys of the envelope, for which the relay asks under its name.
    expect((await problemOf(relay.send(request))).kind).toBe('token-required')
    const before = new Set(await named())
    expect((await problemOf(relay.send(request))).kind).toBe('token-required')
    expect((await named()).filter((row) => !before.has(row))).toEqual([])
  })

  it('an envelope leads to nothing but posts, and hostile ones get a problem', async () => {
    const { away, bob } = await setting()
    const fare = purseOf(bob, away.domain)
    await fare.fill()
    const relay = new Relayed(away.url, HUB, fare)
    const request = { path: '/v1/devices', headers: {}, body: new Uint8Array() }
    expect((await problemOf(relay.send(request))).kind).toBe('not-found')
    const got = { path: '/v1/sealed/AA/0/messages', headers: { 'content-type': 'message/mls' }, body: new Uint8Array(1), method: 'GET' }
    expect((await problemOf(relay.send(got))).kind).toBe('not-found')
    const self = new Relayed(away.url, away.domain, fare)
    expect((await problemOf(self.send(request))).kind).toBe('not-found')
    const authorization = `PrivateToken token="${Buffer.from(fare.take().serialize()).toString('base64url')}"`
    const answer = await fetch(`${away.url}/v1/sealed-relay/${HUB}`, {
      method: 'POST',
      headers: { 'content-type': 'message/ohttp-req', authorization },
      body: new Uint8Array(100),
    })
    expect(answer.status).toBe(502)
    expect(fromUtf8(new Uint8Array(await answer.arrayBuffer()))).toContain('hub-refused')
  })

  it('a member of the other provider who was removed is refused through the relay as well', async () => {
    const { away, bob, alice, group } = await setting()
    const purse = purseOf(alice, HUB)
    await purse.fill()
    const fare = purseOf(bob, away.domain)
    await fare.fill()
    const relay = new Relayed(away.url, HUB, fare)
    const theirs = at(bob, group)
    const key = await senderKey(theirs)
    await publishSenderKey(theirs)
    const message = await messageOf(theirs, 'still here')
    await group.remove(bob.uri)
    const post = sealedRequest(group.record.groupId, key, purse.take(), message)
    expect((await problemOf(relay.send(post))).kind).toBe('stale-epoch')
  })
})
