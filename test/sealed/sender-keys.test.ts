import { sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { mlsExporter } from 'ts-mls/keySchedule.js'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { keyPair, publishSenderKey, senderKey, type SenderKey } from '../../examples/client/sealed/sender-key.js'
import { suite } from '../../examples/client/mls/suites.js'
import { possessionBytes } from '../../src/protocol/sealed/sender-key.js'
import { agreed, at, heard, problemOf } from '../support/world.js'
import { sealedSenders } from './sealed-sender-fixture.js'
import { messageOf, postOf, sealedGroup, send, useSealedServer } from './sealed-server-fixture.js'
import { sealedRequest } from '../../examples/client/sealed/sealed-post.js'

const fixture = useSealedServer()

const WRONG = keyPair(new Uint8Array(32).fill(3))

function publication(client: Client, group: Group, key: SenderKey, groupId = group.record.groupId) {
  const claim = { groupId, epoch: BigInt(key.epoch), user: client.user, publicKey: key.publicKey }
  return { epoch: key.epoch, public_key: key.publicKey, proof: new Uint8Array(sign(null, possessionBytes(claim), key.privateKey)) }
}
const kindOf = async (request: Promise<unknown>) => (await problemOf(request)).kind
const publish = (client: Client, group: Group, body: object) => client.device.http.post(`${group.path}/sender-keys`, body)

describe('the sender keys of an epoch', () => {
  it('are one key, no matter who derives it, and another one in the next epoch', async () => {
    const [alice, bob] = await fixture.world.cast('alice', 'bob')
    const { group, key } = await sealedGroup(fixture.world, [alice, bob])
    expect((await senderKey(at(bob, group))).publicKey).toEqual(key.publicKey)
    expect(await publishSenderKey(at(bob, group))).toEqual([])
    await group.update()
    await agreed([bob], group)
    const next = await senderKey(at(bob, group))
    expect(next.publicKey).toEqual((await senderKey(group)).publicKey)
    expect(next.publicKey).not.toEqual(key.publicKey)
  })

  it('a wrong one takes nobody’s place, and stands under the name of the one who published it', async () => {
    const [alice, bob, mallory] = await fixture.world.cast('alice', 'bob', 'mallory')
    const group = await fixture.world.group(alice, [bob, mallory])
    await agreed([bob, mallory], group)
    const theirs = at(mallory, group)
    await publish(mallory, theirs, publication(mallory, theirs, { epoch: group.epoch, ...WRONG }))
    const [ofAlice, ofBob] = await sealedSenders(fixture.world, group, [alice, bob])
    expect(await ofBob!.prepare()).toEqual([mallory.user])
    await ofAlice!.post('hello')
    await ofBob!.post('hello yourself')
    await heard([alice, bob, mallory], group, ['hello', 'hello yourself'])
  })

  it('are one for each user: a second is refused, the same again is not', async () => {
    const [alice] = await fixture.world.cast('alice')
    const { group, key } = await sealedGroup(fixture.world, [alice])
    expect(await publish(alice, group, publication(alice, group, key))).toEqual({
      epoch: key.epoch,
      keys: [{ user: alice.user, public_key: key.publicKey }],
    })
    expect(await kindOf(publish(alice, group, publication(alice, group, { ...key, ...WRONG })))).toBe('sender-key-taken')
  })

  it('are taken only with the proof of who has them, for this group, epoch and user', async () => {
    const [alice, bob] = await fixture.world.cast('alice', 'bob')
    const group = await fixture.world.group(alice, [bob])
    await agreed([bob], group)
    const key = await senderKey(group)
    const good = publication(alice, group, key)
    const ofBob = publication(bob, group, key)
    // Of small order: any signature would fit.
    const smallOrder = Uint8Array.of(1, ...new Uint8Array(31))
    for (const body of [
      { ...good, proof: ofBob.proof },
      { ...good, proof: publication(alice, group, key, new Uint8Array(9)).proof },
      { ...good, public_key: WRONG.publicKey },
      { ...good, public_key: smallOrder },
      { ...good, proof: new Uint8Array(64) },
    ])
      expect(await kindOf(publish(alice, group, body))).toBe('possession-unproved')
    await publish(alice, group, good)
  })

  it('are for members, of epochs that they are in', async () => {
    const [alice, bob, eve] = await fixture.world.cast('alice', 'bob', 'eve')
    const { group, key } = await sealedGroup(fixture.world, [alice])
    const { path } = group
    await group.add(bob.user)
    await bob.until('joining', () => bob.groups.size > 0)
    const joined = at(bob, group)
    await agreed([bob], group)
    expect(await kindOf(publish(eve, group, publication(eve, group, key)))).toBe('not-found')
    expect(await kindOf(eve.device.http.get(`${path}/sender-keys`))).toBe('not-found')
    expect(await kindOf(publish(bob, joined, publication(bob, joined, { ...WRONG, epoch: key.epoch })))).toBe('stale-epoch')
    expect(await kindOf(publish(bob, joined, publication(bob, joined, { ...WRONG, epoch: group.epoch + 1 })))).toBe('epoch-ahead')
  })

  it('go with their group, and are pruned as epochs pass', async () => {
    const [alice] = await fixture.world.cast('alice')
    const { group, key, purse } = await sealedGroup(fixture.world, [alice])
    const count = async () => {
      const { rows } = await fixture.database.pool.query<{ keys: bigint }>(
        'SELECT count(*) AS keys FROM sender_key JOIN groups USING (gid) WHERE group_id = $1',
        [group.record.groupId],
      )
      return Number(rows[0]?.keys)
    }
    const message = await messageOf(group, 'late')
    const once = sealedRequest(group.record.groupId, key, purse.take(), await messageOf(group, 'in time'))
    const accepted = await send(fixture.server.url, once)
    for (let epoch = 0; epoch < 7; epoch++) {
      await group.update()
      await publishSenderKey(group)
    }
    expect(await count()).toBe(6)
    const late = sealedRequest(group.record.groupId, key, purse.take(), message)
    expect(await kindOf(send(fixture.server.url, late))).toBe('member-proof')
    // What was accepted is accepted still, though its key is gone.
    expect(await send(fixture.server.url, once)).toEqual(accepted)
    const present = await senderKey(group)
    const post = await postOf(group, present, purse.take(), 'too late')
    await group.delete()
    expect(await count()).toBe(0)
    expect(await kindOf(send(fixture.server.url, post))).toBe('member-proof')
  })

  it('of a frozen group post nothing, and the answer says why', async () => {
    const [alice] = await fixture.world.cast('alice')
    const { group, key, purse } = await sealedGroup(fixture.world, [alice])
    await group.device.http.post(`${group.path}/reset`)
    expect(await kindOf(send(fixture.server.url, await postOf(group, key, purse.take(), 'no')))).toBe('group-frozen')
  })

  it('are derived as the test vector of docs/sealed-sender.md says', async () => {
    const [exporterSecret, groupId] = [Uint8Array.from({ length: 32 }, (_, index) => index), Buffer.from('group')]
    const { impl } = await suite(1)
    const seed = await mlsExporter(exporterSecret, 'microchat sender key v1', groupId, 32, impl)
    const { privateKey, publicKey } = keyPair(seed)
    const claim = { groupId, epoch: 7n, user: 'mimi://a.example/u/alice', publicKey }
    const vector = {
      seed: Buffer.from(seed).toString('hex'),
      publicKey: Buffer.from(publicKey).toString('hex'),
      claim: Buffer.from(possessionBytes(claim)).toString('hex'),
      proof: sign(null, possessionBytes(claim), privateKey).toString('hex'),
    }
    expect(vector).toMatchInlineSnapshot(`
     {
       "claim": "176d6963726f636861742073656e646572206b65792076310567726f75700000000000000007186d696d693a2f2f612e6578616d706c652f752f616c696365205a8a69975809d4971a5f927cbc829ba1c5979cecd6021df8c3b2926d4780030f",
       "proof": "a8b86426ef213e059958f62bdbc3adf241ea88abae33351107a5c7d78c6d85b201a4d6ec5a012bcf8ac71ea86f9c8ae15898a9387ac6caff4fce0c5a7167e200",
       "publicKey": "5a8a69975809d4971a5f927cbc829ba1c5979cecd6021df8c3b2926d4780030f",
       "seed": "ccd5fe6ffcd436c3ec14ff18266d3a8a372b6eff67f34eb9e15fa5621008aaad",
     }
    `)
    const page = readFileSync(new URL('../../docs/sealed-sender.md', import.meta.url), 'utf8').replace(/\s+/g, '')
    for (const value of Object.values(vector)) expect(page).toContain(value)
  })
})
