import { describe, expect, it } from '@jest/globals'
import { useFederation } from '../support/federated-world.js'
import { agreed, at, heard, problemOf, type World } from '../support/world.js'

const MESSAGES = 1_000
const COMMITS = 20

describe('a provider that is cut off', () => {
  const federated = useFederation(2)

  it('misses nothing: a thousand messages and twenty Commits later everything arrives, in order, once', async () => {
    const [home, away] = federated.worlds as [World, World]
    const [hub, follower] = federated.providers
    const [alice] = await home.cast('alice')
    const [bob] = await away.cast('bob')
    const group = await home.group(alice, [bob])
    await agreed([bob], group)
    const own = at(bob, group)

    hub!.proxy.fault = 'cut'
    follower!.proxy.fault = 'cut'
    const texts: string[] = []
    for (let commit = 0; commit < COMMITS; commit++) {
      for (let message = 0; message < MESSAGES / COMMITS; message++) {
        texts.push(`${commit}.${message}`)
        await group.send(texts.at(-1)!)
      }
      await group.update()
    }
    Object.assign(bob.device.http, { retries: 0 })
    const stale = await problemOf(bob.device.http.post(`${group.path}/leave`, {}))
    expect([stale.status, stale.kind]).toEqual([503, 'hub-unreachable'])
    expect(own.texts).toEqual([])

    hub!.proxy.fault = 'none'
    follower!.proxy.fault = 'none'
    await own.update() // fails as stale first, and then learns what it missed
    await alice.until("bob's Commit", () => group.epoch === own.epoch)
    await heard([bob], group, texts)
    await agreed([bob], group)
    const seqs = own.record.messages.map(({ seq }) => seq)
    expect(seqs).toEqual([...new Set(seqs)].toSorted((a, b) => a - b))
    await own.send('back')
    await heard([alice], group, [...texts, 'back'])
  })
})
