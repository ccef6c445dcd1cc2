import { afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import type { Accepted, Group } from '../../examples/client/group.js'
import { ARRIVAL_TIMES, type ArrivalTimes } from '../../src/federation/follower/arrival/arrivals.js'
import { useFederation } from '../support/federated-world.js'
import { agreed, at, heard, type World } from '../support/world.js'

const federated = useFederation(2)
const [hub, follower] = [() => federated.providers[0]!, () => federated.providers[1]!]
/** The hub's pushes are held back, or what the follower would fetch. */
const hold = (what: 'push' | 'fetch') =>
  what === 'push'
    ? Object.assign(follower().proxy, { only: ['notify'], fault: 'cut' })
    : Object.assign(hub().proxy, { only: ['log'], fault: 'cut' })
const release = () => [hub(), follower()].forEach(({ proxy }) => Object.assign(proxy, { only: undefined, fault: 'none' }))
const times = (changed: Partial<ArrivalTimes>) => Object.assign(follower().app.get<ArrivalTimes>(ARRIVAL_TIMES), changed)
let usual: ArrivalTimes
beforeAll(() => void (usual = { ...follower().app.get<ArrivalTimes>(ARRIVAL_TIMES) }))
afterEach(() => {
  release()
  times(usual)
})

async function cast(): Promise<{ alice: Client; bob: Client; group: Group }> {
  const [home, away] = federated.worlds as [World, World]
  const [[alice], [bob]] = await Promise.all([home.cast('alice'), away.cast('bob')])
  const group = await home.group(alice, [bob])
  await agreed([bob], group)
  return { alice, bob, group }
}
const replicaHead = async ({ record }: Group) => {
  const { rows } = await follower().pool.query<{ head: bigint }>('SELECT head_seq AS head FROM groups WHERE group_id = $1', [
    record.groupId,
  ])
  return Number(rows[0]?.head)
}

describe('what a hub has accepted', () => {
  it('is in the log of the provider that says so: each answer can be read back at once', async () => {
    const { bob, group } = await cast()
    times({ longest: 60_000 })
    for (let number = 0; number < 10; number++) {
      if (number % 3 === 0) await group.send(`of the hub ${number}`)
      const { seq } = await at(bob, group).send(`${number}`)
      const { entries } = await at(bob, group).history(seq, 1)
      expect(entries.map((entry) => entry.seq)).toEqual([seq])
    }
    await federated.everyoneHasRead()
  })

  it('is fetched where the hub does not push it, and answered then', async () => {
    const { bob, group } = await cast()
    times({ longest: 60_000, push: 0 })
    hold('push')
    const unheard = await group.send('unheard')
    const { seq } = await at(bob, group).send('heard')
    expect(seq).toBe(unheard.seq + 1)
    expect(await replicaHead(group)).toBeGreaterThanOrEqual(seq)
    expect(hub().proxy.seen).toContain('log')
    await federated.everyoneHasRead()
  })

  it('is answered after a bounded time where it does not come at all, with the place up to which it can be read', async () => {
    const { bob, group } = await cast()
    times({ longest: 200, push: 0 })
    hold('push')
    hold('fetch')
    const before = await replicaHead(group)
    await group.send('unheard')
    const accepted: Accepted = await at(bob, group).send('heard')
    expect(accepted).toMatchObject({ seq: before + 2, readable_seq: before })
    release()
    await federated.everyoneHasRead()
    expect(at(bob, group).texts).toEqual(['unheard', 'heard'])
  })
})

describe('a client whose provider is behind the hub', () => {
  it('loses nothing by a Commit: it moves its cursor over what it has read, and not to where its own entry stands', async () => {
    const { alice, bob, group } = await cast()
    times({ longest: 50 })
    hold('push')
    hold('fetch')
    for (const text of ['one', 'two', 'three']) await group.send(text)
    const updated = at(bob, group).update()
    await emptyPageOf(at(bob, group))
    release()
    await updated
    await heard([alice, bob], group, ['one', 'two', 'three'])
    await agreed([alice], at(bob, group))
    await federated.everyoneHasRead()
  })

  it('finds in its provider’s log what a refusal of the hub speaks of: a Commit that came too late is made once more, not many times', async () => {
    const { bob, group } = await cast()
    times({ longest: 60_000, push: 0 })
    // Bob hears of nothing by himself.
    await bob.disconnect()
    hold('push')
    await group.update()
    await group.update()
    const tries = hub().proxy.seen.filter((endpoint) => endpoint === 'update').length
    await at(bob, group).update()
    expect(hub().proxy.seen.filter((endpoint) => endpoint === 'update').length - tries).toBe(2)
    await group.catchUp()
    await agreed([bob], group)
  })
})

/** Resolves when a device has been shown a page of the log with nothing in it. */
function emptyPageOf(group: Group): Promise<void> {
  const { http } = group.device
  const get = http.get.bind(http)
  return new Promise((resolve) => {
    http.get = async <T>(path: string, headers?: Record<string, string>) => {
      const page = await get<T>(path, headers)
      if (path.includes('/log?') && (page as { entries: unknown[] }).entries.length === 0) resolve()
      return page
    }
  })
}
