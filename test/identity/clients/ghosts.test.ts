import { describe, expect, it } from '@jest/globals'
import { Client } from '../../../examples/client/client.js'
import type { Claim } from '../../../examples/client/device.js'
import { LEAF_CERTIFICATE } from '../../../examples/client/identity/leaf.js'
import { encodeMlsMessage } from 'ts-mls'
import type { Mode } from '../../../examples/client/store.js'
import { at } from '../../support/world.js'
import { useMaliciousServer } from './malicious-server.js'

// A device row that the server makes up reads its user's groups. Each attack is run on clients that believe the server, where it
// succeeds, and on clients that check.

const evil = useMaliciousServer()
const MODES: Mode[] = ['public', 'private']

/** The ghost comes in from outside; the server lets it. */
async function ghostJoins(alice: Client, group: Awaited<ReturnType<typeof evil.group>>): Promise<Client> {
  const ghost = await evil.ghostOf(alice)
  await evil.setPolicy(group, "external_join = 'open', join_code_hash = NULL, identities = 'any'")
  const { groupId, mode, suite } = group.record
  // Its leaf lists the extension that it has not.
  ghost.device.leafExtensions = () => []
  ghost.device.record.certified = true
  await ghost.joinExternally({ groupId, mode, suite })
  return ghost
}

describe.each(MODES)('a ghost device that joins a %s group from outside', (mode) => {
  it('reads what is sent by clients that believe the server', async () => {
    const [alice, bob] = await evil.cast(['alice', 'bob'], { identity: false })
    const group = await evil.group(alice, [bob], { mode })
    const ghost = await evil.ghostOf(alice)
    await evil.setPolicy(group, "external_join = 'open', join_code_hash = NULL, identities = 'any'")
    const { groupId, suite } = group.record
    await ghost.joinExternally({ groupId, mode, suite })
    await evil.sync(alice, bob)
    await at(bob, group).send('for alice only')
    await evil.sync(ghost)
    expect(at(ghost, group).texts).toEqual(['for alice only'])
  })

  it('reads nothing where clients check, and is put out before the next message', async () => {
    const [alice, bob] = await evil.cast(['alice', 'bob'])
    const group = await evil.group(bob, [alice], { mode })
    const ghost = await ghostJoins(alice, group)
    await at(bob, group).catchUp()
    expect(at(bob, group).record.quarantine).toMatchObject([{ client: ghost.uri, reason: 'invalid', rule: 'device-certificate-missing' }])
    await at(bob, group).send('for alice only')
    await evil.sync(ghost, alice)
    expect(at(bob, group).members.sort()).toEqual([alice.uri, bob.uri].sort())
    expect(at(alice, group).texts).toEqual(['for alice only'])
    expect(at(ghost, group).texts).toEqual([])
    expect(at(ghost, group).record.standing).toBe('removed')
  })

  it('has what it says marked as not verified, and nothing is sent while it cannot be removed', async () => {
    const [alice, bob] = await evil.cast(['alice', 'bob'])
    const group = await evil.group(alice, [bob], { mode })
    const ghost = await ghostJoins(alice, group)
    await at(ghost, group).send('it is me, alice')
    await at(bob, group).catchUp()
    expect(at(bob, group).record.messages).toMatchObject([{ text: 'it is me, alice', unverified: true }])
    // It is of an admin's user, so bob may not put it out: alice's client does.
    await expect(at(bob, group).send('secret')).rejects.toMatchObject({ reason: 'quarantine' })
    await expect(at(bob, group).encrypt('secret', at(bob, group).epoch)).rejects.toMatchObject({ reason: 'quarantine' })
    await evil.sync(ghost)
    expect(at(ghost, group).texts).toEqual(['it is me, alice'])
    await evil.sync(alice)
    await at(bob, group).catchUp()
    await at(bob, group).send('secret')
    await evil.sync(ghost)
    expect(at(ghost, group).texts).toEqual(['it is me, alice'])
  })
})

/** KeyPackages of `victim` are answered with those of `ghost`, under the name of the victim's device. */
function substitute(victim: Client, made: Uint8Array): void {
  evil.lie(/^\/v1\/key-packages\/claims/u, (answer) => {
    const claim = answer as Claim
    return { ...claim, key_packages: claim.key_packages.map((one) => (one.client === victim.uri ? { ...one, key_package: made } : one)) }
  })
}

async function keyPackage(of: Client): Promise<Uint8Array> {
  const made = await of.device.newKeyPackage(1)
  of.device.record.keyPackages.set(made.ref, made)
  return encodeMlsMessage({ version: 'mls10', wireformat: 'mls_key_package', keyPackage: made.public })
}

/** The server's own keys under the victim's name; in its leaf what `extension` says. */
async function impostor(victim: Client, extension?: Uint8Array): Promise<Client> {
  const [, , , , user = '', device = ''] = victim.uri.split('/')
  const ghost = await Client.create({ baseUrl: evil.url, domain: 'localhost', user, device, retries: 0, identity: extension !== undefined })
  if (extension) ghost.device.leafExtensions = () => [{ extensionType: LEAF_CERTIFICATE, extensionData: extension }]
  return ghost
}

describe('a substituted KeyPackage', () => {
  it('is used by clients that believe the server: the Commit is sent, and only its honest half refuses it', async () => {
    const [alice, bob] = await evil.cast(['alice', 'bob'], { identity: false })
    substitute(alice, await keyPackage(await impostor(alice)))
    const group = await evil.group(bob, [], { mode: 'private' })
    await expect(group.add(alice.user)).rejects.toMatchObject({ kind: 'invalid-commit' })
  })

  it('of an additional device lets it read, where clients believe the server', async () => {
    const [alice, bob] = await evil.cast(['alice', 'bob'], { identity: false })
    const ghost = await evil.ghostOf(alice)
    await ghost.device.publishKeyPackages(2)
    const group = await evil.group(bob, [alice])
    await evil.sync(ghost)
    await group.send('for alice only')
    await evil.sync(ghost)
    expect(at(ghost, group).texts).toEqual(['for alice only'])
  })

  it.each([
    ['without a certificate', 'device-certificate-missing', async () => undefined],
    ['with the certificate of the victim', 'device-certificate-leaf', async (alice: Client) => alice.device.own.leafCertificate()],
    ['with a certificate of another user', 'device-certificate', async (_: Client, other: Client) => other.device.own.leafCertificate()],
    ['with bytes that are none', 'device-certificate', async () => new Uint8Array(9)],
  ])('%s is not used where clients check', async (_name, rule, extension) => {
    const [alice, bob, mallory] = await evil.cast(['alice', 'bob', 'mallory'])
    const group = await evil.group(bob, [])
    substitute(alice, await keyPackage(await impostor(alice, await extension(alice, mallory))))
    await expect(group.add(alice.user)).rejects.toMatchObject({ reason: 'invalid', rule })
    expect(group.members).toEqual([bob.uri])
  })

  it('of an additional device is left aside, and the others are used', async () => {
    const [alice, bob] = await evil.cast(['alice', 'bob'])
    const group = await evil.group(bob, [])
    const ghost = await evil.ghostOf(alice)
    await ghost.device.publishKeyPackages(2)
    await group.add(alice.user)
    expect(group.members).toEqual([bob.uri, alice.uri])
    expect(bob.device.refused).toMatchObject([{ user: alice.user, rule: 'device-certificate-missing' }])
  })
})
