import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../../examples/client/client.js'
import { ed25519Key } from '../../../examples/client/identity/keys.js'
import { safetyNumber } from '../../../examples/client/identity/safety-number.js'
import { cli } from '../../support/cli.js'
import { at } from '../../support/world.js'
import { useMaliciousServer } from './malicious-server.js'
import { WrittenList } from '../vectors/vector-maker.js'

const evil = useMaliciousServer()
const DAY = 86_400

/** A clock that tests move on. */
function clock() {
  const start = Math.floor(Date.now() / 1000)
  let ahead = 0
  return { now: () => start + ahead, pass: (seconds: number) => (ahead += seconds) }
}

/** The list of a client's user as the client has it now. */
function snapshot(client: Client) {
  const { entries, head } = client.device.record.pins.get(client.user)!
  return { entries: [...entries], head }
}

describe('a list that is rolled back', () => {
  it('is refused by who has seen more, and no new leaf passes', async () => {
    const [phone, laptop, bob] = await evil.cast(['alice/phone', 'alice/laptop', 'bob'])
    const before = snapshot(phone)
    const group = await evil.group(bob, [])
    await phone.device.own.revoke([laptop.uri])
    await bob.device.identities.of(phone.user, { fresh: true })
    evil.show(phone.user, before)
    const known = await bob.device.identities.of(phone.user, { fresh: true })
    expect(known).toMatchObject({ trouble: { reason: 'rolled-back' } })
    expect(known!.list.entries).toHaveLength(4)
    await expect(group.add(phone.user)).rejects.toMatchObject({ reason: 'rolled-back' })
  })

  it('is noticed by the own device', async () => {
    const [phone, laptop] = await evil.cast(['alice/phone', 'alice/laptop'])
    const before = snapshot(phone)
    await phone.device.own.revoke([laptop.uri])
    evil.show(phone.user, before)
    await phone.device.login()
    expect(phone.device.own.kept.trouble).toMatchObject({ reason: 'rolled-back' })
  })
})

describe('a revocation that is withheld', () => {
  it('is believed not to be there until the head expires, and no longer', async () => {
    const time = clock()
    const [phone, laptop] = await evil.cast(['alice/phone', 'alice/laptop'])
    const [bob] = await evil.cast(['bob'], { now: time.now })
    const group = await evil.group(bob, [phone, laptop], { mode: 'private' })
    evil.show(phone.user, snapshot(phone))
    await phone.device.own.revoke([laptop.uri])
    await group.send('while the head is good')
    expect(group.members).toContain(laptop.uri)
    // 30 days: no new leaf of hers any more, the old ones are marked only.
    time.pass(31 * DAY)
    await group.send('with the head over')
    expect(group.members).toContain(laptop.uri)
    const other = await evil.group(bob, [])
    await expect(other.add(phone.user)).rejects.toMatchObject({ reason: 'expired' })
    // 30 more: they fail, and are put out.
    time.pass(30 * DAY)
    await group.send('to nobody')
    expect(group.members).toEqual([bob.uri])
  })

  it('keeps a new leaf out for good, not only until the next look', async () => {
    const time = clock()
    const [alice, mallory] = await evil.cast(['alice', 'mallory'])
    const [bob] = await evil.cast(['bob'], { now: time.now })
    const group = await evil.group(bob, [mallory], { mode: 'private' })
    await bob.device.identities.of(alice.user)
    time.pass(31 * DAY)
    await at(mallory, group).add(alice.user)
    await group.catchUp()
    expect(group.record.quarantine).toMatchObject([{ client: alice.uri, reason: 'expired' }])
    await group.send('not for a leaf that is new under a head that is over')
    expect(group.members).toEqual([bob.uri, mallory.uri])
  })

  it('is made known inside the group, by the leaf of the one who revoked', async () => {
    const [phone, laptop, bob] = await evil.cast(['alice/phone', 'alice/laptop', 'bob'])
    const group = await evil.group(bob, [phone, laptop], { mode: 'private' })
    evil.show(phone.user, snapshot(phone))
    await phone.device.own.revoke([laptop.uri])
    await phone.showNewLeaf()
    await group.catchUp()
    expect(bob.device.identities.kept(phone.user)).toMatchObject({ trouble: { reason: 'withheld', number: 4 } })
    const other = await evil.group(bob, [])
    await expect(other.add(phone.user)).rejects.toMatchObject({ reason: 'withheld' })
    // When it is shown at last, all is well, and the laptop is put out.
    evil.tellTheTruth()
    await bob.device.identities.of(phone.user, { fresh: true })
    await group.send('to the phone')
    expect(bob.device.identities.kept(phone.user)!.trouble).toBeUndefined()
    expect(group.members).toEqual([bob.uri, phone.uri])
  })
})

describe('a list that is forked', () => {
  /** Somebody with a key of alice's signs two entries under one number. */
  async function fork(phone: Client, laptop: Client) {
    const before = snapshot(phone)
    const pins = structuredClone(phone.device.record.pins.get(phone.user)!)
    await phone.device.own.revoke([laptop.uri])
    const revoked = snapshot(phone)
    // A thief with a copy of the phone goes on from the state before.
    phone.device.record.pins.set(phone.user, pins)
    const update = await phone.device.own.certificateFor(laptop.uri.replace('laptop', 'ghost'), await possessedBy(phone))
    const ghosts = { entries: [...before.entries, ...update.entries], head: update.head }
    phone.device.record.pins.set(phone.user, { ...pins, entries: revoked.entries, head: revoked.head })
    return { revoked, ghosts }
  }

  async function possessedBy(phone: Client) {
    const ghost = await evil.unknown(phone.user.split('/').at(-1)!, 'ghost')
    return ghost.device.own.possess(phone.device.own.kept.list.identity)
  }

  it('is refused by each who has seen the other branch, with both as evidence', async () => {
    const [phone, laptop, bob, carol] = await evil.cast(['alice/phone', 'alice/laptop', 'bob', 'carol'])
    const { revoked, ghosts } = await fork(phone, laptop)
    evil.show(phone.user, revoked)
    await bob.device.identities.of(phone.user)
    evil.show(phone.user, ghosts)
    await carol.device.identities.of(phone.user)
    const bobs = await bob.device.identities.of(phone.user, { fresh: true })
    expect(bobs).toMatchObject({ trouble: { reason: 'forked' } })
    expect(bobs!.trouble!.evidence).toEqual(ghosts.entries)
    evil.show(phone.user, revoked)
    expect(await carol.device.identities.of(phone.user, { fresh: true })).toMatchObject({ trouble: { reason: 'forked' } })
  })

  it('is noticed through a leaf of the user, by who was shown the other branch', async () => {
    const [phone, laptop, bob] = await evil.cast(['alice/phone', 'alice/laptop', 'bob'])
    const group = await evil.group(bob, [phone], { mode: 'private' })
    const { ghosts } = await fork(phone, laptop)
    evil.show(phone.user, ghosts)
    await bob.device.identities.of(phone.user, { fresh: true })
    await phone.showNewLeaf()
    await group.catchUp()
    expect(bob.device.identities.kept(phone.user)).toMatchObject({ trouble: { reason: 'forked' } })
  })
})

describe('another identity', () => {
  it('by the operator’s invite reaches no old group, and nobody encrypts to it until its contacts accept it', async () => {
    const [alice, bob] = await evil.cast(['alice', 'bob'])
    const old = await evil.group(bob, [alice])
    const { out } = await cli(`invites create --user ${alice.user.split('/').at(-1)}`, {
      DATABASE_URL: evil.database.url,
      SERVER_SECRET: Buffer.alloc(32, 0x5e).toString('base64'),
    })
    const operator = await evil.unknown(alice.user.split('/').at(-1)!, 'operator')
    await operator.device.register(/[A-Za-z0-9_-]{16,}/u.exec(out.replaceAll(/mimi:\S+/gu, ''))?.[0])
    await operator.device.publishKeyPackages(2)
    const { groupId, mode, suite } = old.record
    // Under every policy the server keeps a second identity of a user out; where it does not, clients do (ghosts.test.ts).
    await evil.setPolicy(old, "external_join = 'open', join_code_hash = NULL, identities = 'any'")
    await expect(operator.joinExternally({ groupId, mode, suite })).rejects.toMatchObject({ kind: 'invalid-commit' })
    await old.send('for alice')
    // Her devices an operator can end: the server proposes their removal.
    expect(old.members).not.toContain(operator.uri)
    const fresh = await evil.group(bob, [])
    await expect(fresh.add(alice.user)).rejects.toMatchObject({ reason: 'identity-changed' })
    expect(bob.device.identities.kept(alice.user)).toMatchObject({ trouble: { reason: 'identity-changed' } })
    // Her safety number is another one; bob asks her, and believes it.
    const before = bob.device.identities.kept(alice.user)!.list
    const after = bob.device.identities.accept(alice.user).list
    const me = bob.device.own.kept.list
    expect(safetyNumber(me, before)).not.toBe(safetyNumber(me, after))
    await fresh.add(alice.user)
    expect(fresh.members).toEqual([bob.uri, operator.uri])
  })

  it('by a server that makes it all up is not believed for somebody who is known', async () => {
    const [alice, bob] = await evil.cast(['alice', 'bob'])
    await bob.device.identities.of(alice.user)
    const key = { number: 1, key: ed25519Key() }
    const made = await WrittenList.begin(key.key, alice.user)
    evil.show(alice.user, { entries: made.entries, head: await made.head(key) })
    const known = await bob.device.identities.of(alice.user, { fresh: true })
    expect(known!.list.identity).toEqual(alice.device.own.kept.list.identity)
    expect(known!.trouble).toBeDefined()
  })
})

describe('a policy that the server changes', () => {
  it('does not make a group one without certificates', async () => {
    const [alice, bob] = await evil.cast(['alice', 'bob'])
    const group = await evil.group(alice, [bob])
    evil.lie(/\/policy$/u, (answer) => ({ ...(answer as object), identities: 'any' }))
    const again = await Promise.resolve(at(bob, group))
    await again.catchUp()
    expect(again.record.certified).toBe(true)
    const [carol] = await evil.cast(['carol'])
    await group.add(carol.user)
    await evil.sync(carol)
    expect(at(carol, group).record.certified).toBe(true)
  })
})
