import { describe, expect, it } from '@jest/globals'
import { Client } from '../../../examples/client/client.js'
import { ServerProblem } from '../../../examples/client/http.js'
import { beginIdentity, certifyDevice } from '../../../examples/client/identity/beginning.js'
import { active } from '../../../examples/client/identity/list.js'
import { newRecoveryWords } from '../../../examples/client/identity/recovery-words.js'
import type { Mode } from '../../../examples/client/store.js'
import { changePolicy, uncertified } from '../../../examples/client/policy.js'
import { agreed, at, heard, problemOf, useWorld } from '../../support/world.js'

// Accounts of the old kind, which get an identity.

const world = useWorld()

/** Two devices of one user and one of another, none of which has an identity. */
async function oldOnes(): Promise<readonly [phone: Client, laptop: Client, bob: Client]> {
  world.identity = false
  try {
    return await world.cast('alice/phone', 'alice/laptop', 'bob')
  } finally {
    world.identity = true
  }
}

describe.each(['public', 'private'] as Mode[])('the users of an old %s group', (mode) => {
  it('begin their identities, certify their other devices, and the group becomes certified', async () => {
    const [phone, laptop, bob] = await oldOnes()
    const group = await world.group(bob, [phone, laptop], { mode, identities: 'any' })
    await group.send('before')
    await beginIdentity(phone.device, newRecoveryWords())
    await certifyDevice(phone.device, laptop.device)
    await beginIdentity(bob.device)
    expect(active(laptop.device.own.kept.list).map(({ kind, subject }) => `${kind} ${subject}`)).toEqual([
      `device ${phone.uri}`,
      'recovery-key ',
      `device ${laptop.uri}`,
    ])
    // As long as the leaves are the old ones, their keys are found in the lists.
    expect(await uncertified(group)).toEqual([])
    for (const client of [phone, laptop]) await client.showNewLeaf()
    await changePolicy(group, { identities: 'certified' })
    await group.send('certified')
    await heard([phone, laptop, bob], group, ['before', 'certified'])
    expect(group.record).toMatchObject({ certified: true, quarantine: [] })
    await at(laptop, group).update()
    await agreed([phone, bob], at(laptop, group))
    // Their KeyPackages have certificates, so that new certified groups take them.
    const other = await world.group(bob, [phone, laptop], { mode })
    expect(other.members).toEqual([bob.uri, phone.uri, laptop.uri])
  })
})

describe('who has no identity yet', () => {
  it('is named before the group becomes certified, and does not come into certified groups', async () => {
    const [phone, laptop, bob] = await oldOnes()
    const group = await world.group(bob, [phone, laptop], { identities: 'any' })
    await beginIdentity(bob.device)
    await beginIdentity(phone.device)
    expect(await uncertified(group)).toMatchObject([{ client: laptop.uri, rule: 'device-certificate-missing' }])
    const other = await world.group(bob, [])
    await other.add(phone.user)
    expect(other.members).toEqual([bob.uri, phone.uri])
  })

  it('does not begin a second one: the device that was first certifies the other', async () => {
    const [phone, laptop] = await oldOnes()
    await beginIdentity(phone.device)
    expect(await problemOf(beginIdentity(laptop.device))).toMatchObject({ kind: 'device-list-changed' })
    expect(laptop.device.record).not.toHaveProperty('signed')
    expect(laptop.device.record.certified).toBe(false)
    await certifyDevice(phone.device, laptop.device)
    expect(laptop.device.own.kept.list.identity).toEqual(phone.device.own.kept.list.identity)
  })

  it.each([
    ['was lost', new Error('The answer was lost')],
    ['was that of a proxy', new ServerProblem(502, { detail: 'The answer was lost' })],
  ])('begins it once, though the answer %s', async (_what, lost) => {
    const [phone] = await oldOnes()
    const { http } = phone.device
    const post = http.post.bind(http)
    http.post = async <T>(path: string, ...more: [unknown?, Record<string, string>?]): Promise<T> => {
      const answer = await post<T>(path, ...more)
      if (path !== '/v1/device-list') return answer
      http.post = post
      throw lost
    }
    await expect(beginIdentity(phone.device)).rejects.toThrow('The answer was lost')
    expect(phone.device.own.exists).toBe(false)
    await beginIdentity(phone.device)
    expect((await phone.device.identities.of(phone.user, { fresh: true }))?.trouble).toBeUndefined()
  })

  it('cannot begin it by a session alone', async () => {
    const [phone] = await oldOnes()
    const list = await phone.device.own.begin()
    expect(await problemOf(phone.device.http.post('/v1/device-list', list))).toMatchObject({ kind: 'step-up-required' })
  })
})
