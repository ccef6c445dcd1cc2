import { beforeAll, describe, expect, it } from '@jest/globals'
import { typeOf } from '../../authentication/device-fixture.js'
import { useFederation } from '../../support/federated-world.js'
import type { Provider } from '../../support/federation.js'
import { readList } from '../listed-account.js'
import { checkedBy, countOf, DeviceOf, later, PlantedList } from './planted-lists.js'

/** A list has at most as many bytes. */
const MOST = 1_048_576

const federated = useFederation(2)
const providers = () => federated.providers as [Provider, Provider]

let alice: DeviceOf
beforeAll(async () => {
  alice = new DeviceOf(providers()[0])
  await alice.register()
})

const lengthOf = async (user: string, by = alice): Promise<number | string> => {
  const answer = await readList(by, user)
  return answer.status === 200 ? (answer.body as unknown as { number: number }).number : typeOf(answer)
}

describe('a hostile provider', () => {
  it('puts no row into the database by users whose lists somebody reads', async () => {
    const [a, b] = providers()
    const lists = await Promise.all(Array.from({ length: 30 }, () => PlantedList.begin(b)))
    const before = await checkedBy(a)
    for (const { user } of lists) expect(await lengthOf(user)).toBe(2)
    expect((await checkedBy(a)) - before).toBe(60)
    expect(await countOf(a, 'foreign_device_list')).toBe(0)
    expect(await countOf(a, 'foreign_user')).toBe(0)
    expect(await countOf(a, 'account', "user_uri LIKE 'mimi://b.example/%'")).toBe(0)
  })

  it('has each entry of the longest list checked once, however often it is read, grows, or has a new head', async () => {
    const [a, b] = providers()
    const list = await PlantedList.begin(b)
    while (list.bytes < MOST - 32_000) await list.swell()
    const before = await checkedBy(a)
    for (let again = 0; again < 4; again++) {
      later(a)
      list.maker.time += 1n
      await list.plant()
      expect(await lengthOf(list.user)).toBe(list.maker.number)
    }
    await list.maker.revoke(list.maker.root, 2)
    await list.plant()
    later(a)
    expect(await lengthOf(list.user)).toBe(list.maker.number)
    expect((await checkedBy(a)) - before).toBe(list.maker.number)
  })

  it('gives no list that is longer than our own users’ may be', async () => {
    const list = await PlantedList.begin(providers()[1])
    while (list.bytes < MOST) await list.swell()
    await list.plant()
    const before = await checkedBy(providers()[0])
    expect(await lengthOf(list.user)).toBe('peer-bad-response')
    expect(await checkedBy(providers()[0])).toBe(before)
  })

  it('is asked once by all who ask at the same time, and the answer is checked once', async () => {
    const [a, b] = providers()
    const list = await PlantedList.begin(b)
    const before = await checkedBy(a)
    const lengths = await Promise.all(Array.from({ length: 12 }, () => lengthOf(list.user)))
    expect(new Set(lengths)).toEqual(new Set([2]))
    expect((await checkedBy(a)) - before).toBe(2)
  })
})
