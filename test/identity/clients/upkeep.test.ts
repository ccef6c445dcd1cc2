import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../../examples/client/client.js'
import { beginIdentity, handOver } from '../../../examples/client/identity/beginning.js'
import { signingKey } from '../../../examples/client/identity/device-keys.js'
import { signLabelled } from '../../../examples/client/identity/keys.js'
import { activeDevice, HEAD_LABEL, numberOf } from '../../../examples/client/identity/list.js'
import { endOf } from '../../../examples/client/identity/making.js'
import { encodeHeadContent, RIGHTS, withSignature } from '../../../examples/client/identity/structures.js'
import { newRecoveryWords, recoveryKey } from '../../../examples/client/identity/recovery-words.js'
import { keepUp } from '../../../examples/client/identity/upkeep.js'
import { approveChange, refuseChange, waitingChange } from '../../../examples/client/identity/waiting-change.js'
import { at } from '../../support/world.js'
import { useMaliciousServer } from './malicious-server.js'

const evil = useMaliciousServer()

/** An item in the inbox of the device that polls next. */
function notice(item: Record<string, unknown>): void {
  let sent = false
  evil.lie(/^\/v1\/events\?/u, (answer) => {
    const events = answer as { inbox: unknown[] }
    if (sent) return events
    sent = true
    return { ...events, inbox: [...events.inbox, { id: 999_999, ...item }] }
  })
}

const kinds = ({ identityEvents }: Client) => identityEvents.map(({ kind }) => kind)

describe('a notice', () => {
  it('of a device that was added has its user look at it, and no head is signed before', async () => {
    let ahead = 0
    const [phone, laptop] = await evil.cast(['alice/phone', 'alice/laptop'], { now: () => Math.floor(Date.now() / 1000) + ahead })
    const tablet = await evil.unknown(phone.user.split('/').at(-1)!, 'tablet')
    await phone.device.enrol(tablet.device)
    await evil.sync(laptop)
    expect(laptop.identityEvents.at(-1)).toMatchObject({ kind: 'unseen-holders', holders: [{ subject: tablet.uri }] })
    await shortHead(phone, 200n)
    ahead = 120
    await laptop.device.identities.of(laptop.user, { fresh: true })
    expect(await laptop.device.own.renewHead()).toBe(false)
    laptop.device.own.markSeen()
    expect(await laptop.device.own.renewHead()).toBe(true)
    laptop.identityEvents.length = 0
    notice({ kind: 'device-list.changed', number: 4 })
    await evil.sync(laptop)
    expect(kinds(laptop)).toEqual([])
  })

  it('that the list has changed is believed for nothing but to read it; one that shows less is disputed', async () => {
    const [phone, laptop] = await evil.cast(['alice/phone', 'alice/laptop'])
    const { entries, head } = structuredClone(phone.device.record.pins.get(phone.user)!)
    await phone.device.own.renewCertificate()
    evil.show(phone.user, { entries, head })
    notice({ kind: 'device-list.changed', number: 99 })
    await evil.sync(phone)
    expect(phone.identityEvents).toMatchObject([{ kind: 'own-list-disputed', trouble: { reason: 'rolled-back' } }])
    expect(laptop.device.own.kept.list.entries).toHaveLength(3)
  })

  it('of a contact’s new identity marks the contact; its leaves pass once the user accepts it, and the old ones fail then', async () => {
    const [alice, bob] = await evil.cast(['alice', 'bob'])
    const group = await evil.group(bob, [alice])
    const usurper = await evil.unknown(alice.user.split('/').at(-1)!, 'new')
    const begun = await usurper.device.own.begin()
    evil.show(alice.user, begun)
    notice({ kind: 'identity.changed', user: alice.user })
    await evil.sync(bob)
    expect(bob.identityEvents).toEqual([{ kind: 'identity-changed', user: alice.user }])
    await group.send('to the old identity')
    expect(group.members).toEqual([bob.uri, alice.uri])
    await bob.acceptIdentity(alice.user)
    expect(group.members).toEqual([bob.uri])
  })

  it('of a stranger makes nobody known', async () => {
    const [alice, bob] = await evil.cast(['alice', 'bob'])
    notice({ kind: 'identity.changed', user: alice.user })
    await evil.sync(bob)
    expect(kinds(bob)).toEqual([])
    expect(bob.device.identities.kept(alice.user)).toBeUndefined()
  })
})

describe('a change that waits', () => {
  it('is shown as what the entries do, and refused if they do not follow the list', async () => {
    const [phone, laptop] = await evil.cast(['alice/phone', 'alice/laptop'])
    const before = structuredClone(laptop.device.record.pins.get(laptop.user)!)
    // A thief of the phone revokes the laptop: not in the list yet.
    await phone.device.own.revoke([laptop.uri])
    const { entries, head } = phone.device.record.pins.get(phone.user)!
    evil.show(phone.user, before)
    evil.invent(/^\/v1\/device-list\/pending/u, { entries: entries.slice(3), head, effective_at: 2_000_000_000 })
    const change = await waitingChange(laptop.device)
    expect(change).toMatchObject({ effectiveAt: 2_000_000_000 })
    expect(activeDevice(change!.list, laptop.uri)).toBeUndefined()
    expect(activeDevice(laptop.device.own.kept.list, laptop.uri)).toBeDefined()
    evil.invent(/^\/v1\/device-list\/pending/u, { entries: entries.slice(2), head, effective_at: 2_000_000_000 })
    await expect(waitingChange(laptop.device)).rejects.toMatchObject({ reason: 'invalid', rule: 'entry-number' })
  })
})

describe('a change by one device that ends the others', () => {
  it('is read behind entries that this device has not seen', async () => {
    const { phone, laptop, before } = await family()
    await phone.device.own.revoke([laptop.uri])
    laptop.device.record.pins.set(laptop.user, before)
    const change = await waitingChange(laptop.device)
    expect(activeDevice(change!.list, laptop.uri)).toBeUndefined()
    expect(laptop.device.own.kept.list.entries).toHaveLength(4)
  })

  /** Two devices and words, all of them two days old for the server. */
  async function family() {
    const [phone, laptop] = await evil.cast(['alice/phone', 'alice/laptop'])
    const before = structuredClone(laptop.device.record.pins.get(laptop.user)!)
    const words = newRecoveryWords()
    await phone.device.own.addRecoveryKey(words)
    await evil.server.pool.query(
      "UPDATE device_certificate SET certified_at = certified_at - interval '2 days' WHERE account_id = (SELECT id FROM account WHERE user_uri = $1)",
      [phone.user],
    )
    await laptop.device.identities.of(laptop.user, { fresh: true })
    return { phone, laptop, words, before }
  }

  it('waits, is shown to them, and is refused by one', async () => {
    const { phone, laptop } = await family()
    expect(await laptop.device.own.revoke([phone.uri])).toBeGreaterThan(Date.now() / 1000)
    expect(laptop.device.own.kept.list.entries).toHaveLength(4)
    await evil.sync(phone)
    const event = phone.identityEvents.find((one) => one.kind === 'change-waits')!
    expect(activeDevice(event.change.list, phone.uri)).toBeUndefined()
    await refuseChange(phone.device, event.change)
    expect(await waitingChange(laptop.device)).toBeUndefined()
  })

  it('takes effect at once when the words approve it', async () => {
    const { phone, laptop, words } = await family()
    expect(await phone.device.own.revoke([laptop.uri])).toBeDefined()
    const change = await waitingChange(phone.device)
    await approveChange(phone.device, change!, recoveryKey(words))
    expect(activeDevice(phone.device.own.kept.list, laptop.uri)).toBeUndefined()
  })
})

/** A new head that is good for some seconds only. */
async function shortHead({ device }: Client, seconds: bigint): Promise<void> {
  const { own, identities, record, http } = device
  const { list, head } = own.kept
  const { user, number, hash } = endOf(list)
  const signer = activeDevice(list, record.client)!.number
  const issuedAt = head.issuedAt < identities.time ? identities.time : head.issuedAt + 1n
  const content = encodeHeadContent({ user, number, hash, issuedAt, expiresAt: issuedAt + seconds, signer })
  await http.put('/v1/device-list/head', {
    head: withSignature(content, await signLabelled(await signingKey(record), HEAD_LABEL, content)),
  })
  await identities.of(user, { fresh: true })
}

describe('a client that is there every day', () => {
  it('signs a new head when less than half of its time is left, and not before', async () => {
    let ahead = 0
    const [alice] = await evil.cast(['alice'], { now: () => Math.floor(Date.now() / 1000) + ahead })
    const first = alice.device.own.kept.head.expiresAt
    await keepUp(alice)
    expect(alice.device.own.kept.head.expiresAt).toBe(first)
    await shortHead(alice, 200n)
    const { issuedAt } = alice.device.own.kept.head
    ahead = 120
    await keepUp(alice)
    expect(alice.device.own.kept.head.issuedAt).toBeGreaterThan(issuedAt)
    expect(alice.device.own.kept.head.expiresAt).toBeGreaterThanOrEqual(first)
  })

  it('renews its certificate at half of its time, and shows it in its groups', async () => {
    const [phone, laptop] = await evil.cast(['alice/phone', 'alice/laptop'], { identity: false })
    const [bob] = await evil.cast(['bob'])
    await beginIdentity(phone.device)
    const { own, identities } = phone.device
    const keys = await laptop.device.own.possess(own.kept.list.identity)
    const times = { notBefore: identities.time - 3_600n, notAfter: identities.time + 3_500n }
    const certificate = { kind: 'device', subject: laptop.uri, rights: RIGHTS.all, keys, ...times } as const
    await own.change(async (author) => [[author, { type: 'certificate', certificate }]])
    handOver(phone.device, laptop.device)
    laptop.device.record.certified = true
    await laptop.device.http.delete('/v1/key-packages')
    await laptop.device.publishKeyPackages(2)
    const group = await evil.group(bob, [laptop, phone])
    await keepUp(phone)
    expect(numberOf(own.kept.list)).toBe(3)
    await keepUp(laptop)
    const renewed = activeDevice(laptop.device.own.kept.list, laptop.uri)
    expect(renewed).toMatchObject({ number: 4, signer: 3 })
    await group.catchUp()
    expect(group.record.quarantine).toEqual([])
    expect(numberOf(bob.device.identities.kept(laptop.user)!.list)).toBe(4)
    await at(laptop, group).send('renewed')
    await keepUp(laptop)
    expect(numberOf(laptop.device.own.kept.list)).toBe(4)
  })
})
