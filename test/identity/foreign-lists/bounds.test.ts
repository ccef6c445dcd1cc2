import { beforeAll, describe, expect, it } from '@jest/globals'
import { ServerProblem } from '../../../examples/client/http.js'
import { utf8 } from '../../../examples/client/wire.js'
import { Metrics } from '../../../src/platform/observability/metrics.js'
import { typeOf } from '../../authentication/device-fixture.js'
import { useFederation } from '../../support/federated-world.js'
import type { Provider } from '../../support/federation.js'
import { readList } from '../listed-account.js'
import { show, StoredList } from '../lists-fixture.js'
import { countOf, DeviceOf, PlantedList } from './planted-lists.js'

const federated = useFederation(2, { LIMITS: 'device-list-checks-by=12,foreign-device-list-bytes=900' })
const providers = () => federated.providers as [Provider, Provider]
beforeAll(() => federated.worlds.forEach((world) => (world.identity = false)))

const refusedBy = async ({ app }: Provider, limit: string): Promise<number> => {
  const { values } = await app.get(Metrics, { strict: false }).limitsRefused.get()
  return values.find(({ labels }) => labels['limit'] === limit)?.value ?? 0
}

describe('an account that reads lists', () => {
  it('has a limited number of signatures checked a minute, one longer list counts as all, and others have their own', async () => {
    const [a, b] = providers()
    const [mallory, eve, alice] = [new DeviceOf(a), new DeviceOf(a), new DeviceOf(a)]
    for (const device of [mallory, eve, alice]) await device.register()
    const lists = await Promise.all(Array.from({ length: 5 }, () => PlantedList.begin(b)))
    const [fifth] = lists.splice(4)
    // Three signatures each: of two entries, and of a key.
    for (const { user } of lists) expect((await readList(mallory, user)).status).toBe(200)
    expect(typeOf(await readList(mallory, fifth!.user))).toBe('rate-limited')
    expect(await refusedBy(a, 'device-list-checks-by')).toBe(1)
    // What was checked costs nothing.
    expect((await readList(mallory, lists[0]!.user)).status).toBe(200)
    const long = await PlantedList.begin(b)
    await long.swell()
    await long.plant()
    expect((await readList(eve, long.user)).status).toBe(200)
    expect(typeOf(await readList(eve, fifth!.user))).toBe('rate-limited')
    expect((await readList(alice, fifth!.user)).status).toBe(200)
  })

  it('does not end at its limit what others ask for at the same time', async () => {
    const [a, b] = providers()
    const [mallory, alice] = [new DeviceOf(a), new DeviceOf(a)]
    for (const device of [mallory, alice]) await device.register()
    const [spent, ...lists] = await Promise.all(Array.from({ length: 4 }, () => PlantedList.begin(b)))
    await spent!.swell()
    await spent!.plant()
    expect((await readList(mallory, spent!.user)).status).toBe(200)
    for (const { user } of lists) {
      const [, second] = await Promise.all([readList(mallory, user), readList(alice, user)])
      expect(second.status).toBe(200)
    }
  })
})

describe('a provider whose users’ lists take the place that it has', () => {
  it('has no more of them kept, and none of its leaves comes in by one', async () => {
    const [a, b] = providers()
    const [alice] = await federated.worlds[0]!.cast('alice')
    const [bob, carol] = await federated.worlds[1]!.cast('bob', 'carol')
    await (await StoredList.begin(a.pool, alice)).certify(alice)
    for (const client of [bob, carol]) {
      const list = await StoredList.begin(b.pool, client)
      await list.certify(client)
      show(client, list.maker.leafCertificate(2))
      await client.device.http.delete('/v1/key-packages')
      await client.device.publishKeyPackages(1)
    }
    const group = await alice.createGroup({ groupId: utf8('bounds'), policy: { identities: 'certified' } })
    await group.add(bob.user)
    await expect(group.add(carol.user)).rejects.toMatchObject({ document: { rule: 'device-certificate' } })
    await expect(group.add(carol.user)).rejects.toBeInstanceOf(ServerProblem)
    expect(await countOf(a, 'foreign_device_list')).toBe(1)
    expect(await refusedBy(a, 'foreign-device-list-bytes')).toBeGreaterThan(0)
  })
})
