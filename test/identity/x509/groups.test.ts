import { describe, expect, it } from '@jest/globals'
import type { LeafNode } from 'ts-mls/leafNode.js'
import type { Client } from '../../../examples/client/client.js'
import type { Group } from '../../../examples/client/group.js'
import { NoAnswer, type Http } from '../../../examples/client/http.js'
import { IdentityRefused } from '../../../examples/client/identity/refused.js'
import { Certificates } from '../../../examples/client/x509/certificates.js'
import { Authorities } from '../../../src/authentication/x509/authorities.js'
import { issueCertificate } from '../../../src/authentication/x509/issuing.js'
import { useFederation } from '../../support/federated-world.js'
import { useMaliciousServer } from '../clients/malicious-server.js'
import { agreed, at, heard, joined, MODES_AND_SUITES, problemOf, useWorld, type World } from '../../support/world.js'
import { show, showRogue, useX509 } from './x509-clients.js'

/** The kind of credential of each member’s leaf, as this device sees the tree. */
function credentials(client: Client, group: Group): string[] {
  return at(client, group).record.state.ratchetTree.flatMap((node) =>
    node?.nodeType === 'leaf' ? [node.leaf.credential.credentialType] : [],
  )
}

describe.each(MODES_AND_SUITES)('a group in %s mode, suite %i', (mode, suite) => {
  const world = useWorld()

  it('has members with either credential, who hear each other, change it and come back', async () => {
    const [alice, bob] = await world.cast('alice', 'bob')
    await useX509(bob)
    const group = await world.group(alice, [bob], { mode, suite })
    expect(credentials(alice, group)).toEqual(['basic', 'x509'])
    await group.send('hello')
    await at(bob, group).send('hello yourself')
    await heard([alice, bob], group, ['hello', 'hello yourself'])
    expect(at(alice, group).members).toEqual([alice.uri, bob.uri])

    await useX509(alice)
    await group.update()
    await bob.until('the Commit', () => at(bob, group).epoch === group.epoch)
    expect(credentials(bob, group)).toEqual(['x509', 'x509'])
    bob.device.record.x509 = false
    await at(bob, group).update()
    await alice.until('the Commit', () => group.epoch === at(bob, group).epoch)
    expect(credentials(alice, group)).toEqual(['x509', 'basic'])
    await agreed([alice, bob], group)
    for (const one of [alice, bob]) expect(at(one, group).record.quarantine).toEqual([])
  })
})

describe('a member who shows a certificate of an authority that its provider has not', () => {
  const world = useWorld()

  it('is refused by the server of a public group', async () => {
    const [alice, bob] = await world.cast('alice', 'bob')
    const group = await world.group(alice, [bob], { mode: 'public', suite: 1 })
    showRogue(bob)
    const problem = await problemOf(at(bob, group).update())
    expect([problem.kind, problem.document['rule']]).toEqual(['invalid-commit', 'x509-issuer'])
  })

  it('is put out of a private group by the other members', async () => {
    const [alice, bob, carol] = await world.cast('alice', 'bob', 'carol')
    const group = await world.group(alice, [bob, carol], { mode: 'private', suite: 1 })
    showRogue(bob)
    await at(bob, group).update()
    await alice.until('the Commit', () => group.epoch >= at(bob, group).epoch)
    expect(group.record.quarantine).toMatchObject([{ client: bob.uri, reason: 'invalid', rule: 'x509-issuer' }])
    await group.send('without bob')
    await heard([alice, carol], group, ['without bob'])
    expect(group.members.sort()).toEqual([alice.uri, carol.uri].sort())
  })

  it('is shown as not verified in a private group with identities any, to those who join later too, until it shows a good one', async () => {
    const [alice, bob, carol] = await world.cast('alice', 'bob', 'carol')
    const group = await world.group(alice, [bob], { mode: 'private', suite: 1, policy: { identities: 'any' } })
    showRogue(bob)
    await at(bob, group).update()
    await alice.until('the Commit', () => group.epoch === at(bob, group).epoch)
    await group.add(carol.user)
    await joined(carol, group.record.groupId)
    await bob.until('the Add', () => group.epoch === at(bob, group).epoch)
    await at(bob, group).send('it is me')
    await group.send('who else')
    await heard([carol], group, ['it is me', 'who else'])
    await heard([alice], group, ['it is me', 'who else'])
    const fails = [{ client: bob.uri, reason: 'invalid', rule: 'x509-issuer' }]
    for (const one of [alice, carol]) expect(at(one, group).record).toMatchObject({ quarantine: [], unverified: fails })
    expect(at(carol, group).record.messages.map(({ unverified }) => unverified)).toEqual([true, undefined])
    expect(group.record.messages.map(({ unverified }) => unverified)).toEqual([true, undefined])

    Reflect.deleteProperty(bob.device.certificates, 'credential')
    await useX509(bob)
    await at(bob, group).update()
    await at(bob, group).send('with a good one')
    await heard([alice, carol], group, ['it is me', 'who else', 'with a good one'])
    for (const one of [alice, carol]) expect(at(one, group).record).toMatchObject({ quarantine: [], unverified: [] })
    expect(at(carol, group).record.messages.at(-1)).not.toHaveProperty('unverified')
  })

  it('is asked about again where nobody had an answer', async () => {
    const [alice, bob] = await world.cast('alice', 'bob')
    await useX509(bob)
    const { http } = alice.device
    const get = http.get.bind(http)
    http.get = async <T>(path: string, headers?: Record<string, string>) => {
      if (path.startsWith('/v1/credentials/x509/authorities')) throw new NoAnswer('nobody')
      return get<T>(path, headers)
    }
    const group = await world.group(alice, [bob], { mode: 'private', suite: 1, policy: { identities: 'any' } })
    expect(group.record.unverified).toMatchObject([{ client: bob.uri, reason: 'no-list' }])
    Reflect.deleteProperty(http, 'get')
    await group.send('hello')
    expect(group.record.unverified).toEqual([])
  })

  it('publishes it in vain', async () => {
    const [bob] = await world.cast('bob')
    showRogue(bob)
    const problem = await problemOf(bob.device.publishKeyPackages(1))
    expect([problem.kind, problem.document['rule']]).toEqual(['invalid-key-package', 'x509-issuer'])
  })
})

describe('a device', () => {
  const world = useWorld()

  it('asks for another certificate at half of its time, and no sooner', async () => {
    const [bob] = await world.cast('bob')
    await useX509(bob)
    let now = Math.floor(Date.now() / 1000)
    const own = new Certificates(bob.device.http, bob.device.record, () => now)
    const first = await own.credential(1)
    const [begun, end] = [now, first.notAfter ?? 0]
    now = begun + Math.floor((end - begun) / 2) - 60
    expect(await own.credential(1)).toEqual(first)
    now = begun + Math.ceil((end - begun) / 2) + 60
    expect(await own.credential(1)).not.toEqual(first)
  })

  it('believes an authority that was withdrawn for an hour at most', async () => {
    const [bob] = await world.cast('bob')
    await useX509(bob)
    const issued = await bob.device.certificates.credential(1)
    const leaf = { credential: issued.credential, signaturePublicKey: bob.device.record.keys.get(1)!.publicKey } as LeafNode
    let now = Math.floor(Date.now() / 1000)
    let asked = 0
    const published = await bob.device.http.get<object>('/v1/credentials/x509/authorities?domain=localhost')
    const http = { get: async () => (asked++ === 0 ? published : { authorities: [] }) } as unknown as Http
    const others = new Certificates(http, bob.device.record, () => now)
    await others.verify(leaf, true)
    now += 3_500
    await others.verify(leaf, true)
    expect(asked).toBe(1)
    now += 100
    const refused = await others.verify(leaf, true).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(IdentityRefused)
    expect(refused).toMatchObject({ rule: 'x509-issuer' })
  })
})

describe.each(MODES_AND_SUITES)('a group of two providers in %s mode, suite %i', (mode, suite) => {
  const federated = useFederation(2)

  it('has members with X.509 credentials of both', async () => {
    const [home, away] = federated.worlds as [World, World]
    const [alice] = await home.cast('alice')
    const [bob, carol] = await away.cast('bob', 'carol')
    for (const one of [alice, bob]) await useX509(one)
    const group = await home.group(alice, [bob, carol], { mode, suite })
    expect(credentials(carol, group).sort()).toEqual(['basic', 'x509', 'x509'])
    await group.send('hello')
    await at(bob, group).send('hello yourself')
    await heard([alice, bob, carol], group, ['hello', 'hello yourself'])
    await at(bob, group).update()
    await alice.until('the Commit', () => group.epoch === at(bob, group).epoch)
    await agreed([alice, bob, carol], group)
    for (const one of [alice, bob, carol]) expect(at(one, group).record.quarantine).toEqual([])
  })
})

describe('a server that certifies a device of its own making', () => {
  const evil = useMaliciousServer()

  /** The ghost comes in from outside; the authority, which is the server's, says that its key is alice's. */
  async function ghostJoins(alice: Client, group: Group, certified: boolean): Promise<Client> {
    const ghost = await evil.ghostOf(alice)
    await evil.setPolicy(group, "external_join = 'open', join_code_hash = NULL, identities = 'any'")
    const issuer = await evil.server.app.get(Authorities, { strict: false }).issuing()
    const times = { now: new Date(), notAfter: new Date(Date.now() + 3_600_000) }
    show(ghost, (key) => issueCertificate(issuer, ghost.uri, key, times))
    if (certified) Object.assign(ghost.device, { leafExtensions: () => [] }).record.certified = true
    const { groupId, mode, suite } = group.record
    await ghost.joinExternally({ groupId, mode, suite })
    return ghost
  }

  it('reads with it what is sent by clients that believe the server', async () => {
    const [alice, bob] = await evil.cast(['alice', 'bob'], { identity: false })
    const group = await evil.group(alice, [bob], { mode: 'private' })
    const ghost = await ghostJoins(alice, group, false)
    await evil.sync(alice, bob)
    await at(bob, group).send('for alice only')
    await evil.sync(ghost)
    expect(at(ghost, group).texts).toEqual(['for alice only'])
  })

  it('is refused by clients with identities, by the device list', async () => {
    const [alice, bob] = await evil.cast(['alice', 'bob'])
    const group = await evil.group(bob, [alice], { mode: 'private' })
    const ghost = await ghostJoins(alice, group, true)
    await at(bob, group).catchUp()
    expect(at(bob, group).record.quarantine).toMatchObject([{ client: ghost.uri, reason: 'invalid', rule: 'device-certificate-missing' }])
    await at(bob, group).send('for alice only')
    await evil.sync(ghost, alice)
    expect(at(alice, group).texts).toEqual(['for alice only'])
    expect(at(ghost, group).texts).toEqual([])
  })
})
