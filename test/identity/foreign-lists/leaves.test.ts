import { beforeAll, describe, expect, it } from '@jest/globals'
import type { Client } from '../../../examples/client/client.js'
import type { Group } from '../../../examples/client/group.js'
import { ServerProblem } from '../../../examples/client/http.js'
import { utf8 } from '../../../examples/client/wire.js'
import { Metrics } from '../../../src/platform/observability/metrics.js'
import { decodeEntry, encodeEntry } from '../../../src/protocol/identity/entry.js'
import { encodeLeafCertificate } from '../../../src/protocol/identity/leaf-certificate.js'
import { sha256 } from '../../../src/protocol/sha256.js'
import { useFederation } from '../../support/federated-world.js'
import type { Provider } from '../../support/federation.js'
import { joined, type World } from '../../support/world.js'
import { show, StoredList } from '../lists-fixture.js'

const federated = useFederation(2)
const providers = () => federated.providers as [hub: Provider, peer: Provider]
const worlds = () => federated.worlds as [World, World]
// Their lists are written by the tests, and nobody checks what the hub lets through.
beforeAll(() => federated.worlds.forEach((world) => (world.identity = false)))

let serial = 0

const checkedAt = async ({ app }: Provider) =>
  (await app.get(Metrics, { strict: false }).registry.getSingleMetric('foreign_device_list_entries_checked_total')!.get()).values[0]
    ?.value ?? 0

/** Bob of the peer with two devices, the phone in the group of alice's at the hub, the laptop certified by the phone; its KeyPackages show that. */
async function stage() {
  const [hub, peer] = providers()
  const [alice] = await worlds()[0].cast('alice')
  const [bob, laptop] = await worlds()[1].cast('bob', 'bob/laptop')
  await (await StoredList.begin(hub.pool, alice)).certify(alice)
  const list = await StoredList.begin(peer.pool, bob)
  const phone = await list.certify(bob)
  await shows(bob, list.maker.leafCertificate(2))
  await laptop.device.http.delete('/v1/key-packages')
  const group = await alice.createGroup({ groupId: utf8(`leaves-${++serial}`), policy: { identities: 'certified' } })
  await group.add(bob.user)
  await joined(bob, group.record.groupId)
  const holder = await list.certify(laptop, phone)
  return { hub, peer, alice, bob, laptop, list, phone, holder, group }
}

/** Stocks KeyPackages whose leaf has this extension. */
async function shows(client: Client, extension: Uint8Array): Promise<void> {
  show(client, extension)
  await client.device.http.delete('/v1/key-packages')
  await client.device.publishKeyPackages(2)
}

const refused = async (group: Group, user: string) =>
  group.add(user).then(
    () => 'taken in',
    (error: unknown) => {
      if (!(error instanceof ServerProblem)) throw error
      return (error.document as { rule?: string }).rule ?? error.kind
    },
  )

describe('a leaf of a peer’s user in a certified group', () => {
  it('comes in by an entry that the hub has not seen: it asks once, and checks what is new', async () => {
    const { hub, laptop, list, group } = await stage()
    await shows(laptop, list.maker.leafCertificate(3))
    const before = await checkedAt(hub)
    expect(await refused(group, laptop.user)).toBe('taken in')
    expect(group.members).toHaveLength(3)
    expect((await checkedAt(hub)) - before).toBe(1)
  })

  it('does not come in by an entry of the user’s own identity that nobody has signed, though the peer has it in its list', async () => {
    const { peer, laptop, list, group } = await stage()
    const forged = list.maker.entries[2]!.slice()
    const decoded = decodeEntry(forged)
    if (decoded.kind === 'malformed') throw new Error(decoded.reason)
    // All as the phone's key would say it, signed by somebody else.
    const signature = decoded.value.signature.map((byte, index) => (index === 5 ? byte ^ 1 : byte))
    const entry = encodeEntry(decoded.value.signed, signature)
    await peer.pool.query('UPDATE device_list_entry SET bytes = $2 WHERE identity = $1 AND number = 3', [list.maker.identity, entry])
    await shows(laptop, encodeLeafCertificate(list.maker.identity, 3, sha256(decoded.value.signed), entry))
    expect(await refused(group, laptop.user)).toBe('device-certificate')
  })

  it('does not come in by a certificate that the list shows as revoked, though the peer gives the device out as active', async () => {
    const { laptop, list, phone, holder, group } = await stage()
    await shows(laptop, list.maker.leafCertificate(3))
    await list.revoke(phone, holder)
    expect(await refused(group, laptop.user)).toBe('device-certificate-current')
  })

  it('does not come in where no list is given for the user', async () => {
    const { hub, peer, laptop, list, group } = await stage()
    await shows(laptop, list.maker.leafCertificate(3))
    await peer.pool.query('DELETE FROM device_list WHERE identity = $1', [list.maker.identity])
    await hub.pool.query('DELETE FROM foreign_device_list WHERE identity = $1', [list.maker.identity])
    expect(await refused(group, laptop.user)).toBe('device-certificate')
  })

  it('does not come in by another identity that its provider does not count', async () => {
    const { peer, bob, laptop, group } = await stage()
    const other = await StoredList.begin(peer.pool, bob)
    await other.certify(laptop)
    await peer.pool.query('UPDATE device_list SET identities = 1 WHERE identity = $1', [other.maker.identity])
    await shows(laptop, other.maker.leafCertificate(2))
    expect(await refused(group, laptop.user)).toBe('device-certificate')
  })
})

describe('a device that the hub knows, with a key that it knows', () => {
  it('comes in by the certificate that has replaced its former one, of which the hub hears only by the leaf', async () => {
    const { hub, laptop, list, holder, group } = await stage()
    await shows(laptop, list.maker.leafCertificate(3))
    expect(await refused(group, laptop.user)).toBe('taken in')
    await group.remove(laptop.uri)
    await list.certify(laptop, holder)
    await shows(laptop, list.maker.leafCertificate(4))
    expect(await refused(group, laptop.user)).toBe('taken in')
    const kept = await hub.pool.query<{ ends: number[] }>('SELECT ends FROM foreign_device_list WHERE identity = $1', [list.maker.identity])
    expect(kept.rows[0]?.ends).toEqual([null, null, 4, null])
  })
})
