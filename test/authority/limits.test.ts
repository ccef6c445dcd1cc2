import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { ServerProblem } from '../../examples/client/http.js'
import { joinExternally } from '../../examples/client/joining.js'
import { decodeKeyPackageMessage } from '../../examples/client/mls/key-package-message.js'
import { Metrics } from '../../src/platform/observability/metrics.js'
import { at, draft, refusal, submit, useStage } from '../groups/group-fixture.js'

const stage = useStage({
  COMMITS_PER_MINUTE: '8',
  COMMITS_PER_GROUP_PER_MINUTE: '10',
  PROPOSALS_PER_MINUTE: '4',
  GROUPS_CREATED_PER_HOUR: '12',
  GROUP_READS_PER_MINUTE: '60',
  JOIN_CODE_GUESSES_PER_HOUR: '5',
  JOIN_CODE_GUESSES_PER_GROUP_PER_HOUR: '12',
  ADDITIONS_PER_PAIR_PER_HOUR: '4',
  ADDITIONS_PER_DEVICE_PER_HOUR: '6',
  ACCOUNT_DAILY_BYTES: '400KiB',
  LIMITS: 'leaves=3,commit-reports=3,group-administration=6,joiners=3',
})

/** How many of these are answered, one after the other, and how the first refusal reads. */
async function tried(times: number, attempt: (n: number) => Promise<unknown>) {
  let answered = 0
  let refused: ServerProblem | undefined
  for (let n = 0; n < times; n++) {
    try {
      await attempt(n)
      answered += 1
    } catch (error) {
      if (!(error instanceof ServerProblem)) throw error
      if (error.kind === 'rate-limited') refused ??= error
      else answered += 1
    }
  }
  return { answered, refused: refused?.kind, retryAfter: Number(refused?.document['retry_after'] ?? 0) }
}

async function refusedBy(limit: string): Promise<number> {
  const { values } = await stage.server.app.get(Metrics, { strict: false }).limitsRefused.get()
  return values.find(({ labels }) => labels['limit'] === limit)?.value ?? 0
}

async function addOf(by: Client, target: Client) {
  const { key_packages: claimed } = await by.device.claim(target.user, 1)
  const own = claimed.find(({ client }) => client === target.uri)!
  return { proposalType: 'add' as const, add: { keyPackage: decodeKeyPackageMessage(own.key_package) } }
}

const codeOf = (client: Client, group: Pick<Group, 'path'>, code: string) =>
  client.device.http.get(`${group.path}/group-info`, { 'join-code': code })

describe('Commits', () => {
  it('of one device are limited in all its groups together, and those of its neighbours are not', async () => {
    const [mallory, alice] = await stage.cast('mallory', 'alice')
    const groups = await Promise.all([stage.group(mallory), stage.group(mallory)])
    const { answered, refused, retryAfter } = await tried(12, (n) => groups[n % 2]!.update())
    expect({ answered, refused }).toEqual({ answered: 8, refused: 'rate-limited' })
    expect(retryAfter).toBeGreaterThan(0)
    expect(await refusedBy('commits')).toBeGreaterThan(0)
    await (await stage.group(alice)).update()
  })

  it('of strangers use up nothing of what a group takes', async () => {
    const [alice, ...strangers] = await stage.cast('alice', 'm1', 'm2', 'm3')
    const group = await stage.group(alice)
    const { bundle } = await draft(group)
    for (const stranger of strangers) await tried(8, () => submit(stranger, group, bundle))
    await group.update()
    expect(await refusedBy('commits-of-group')).toBe(0)
  })

  it('of a group are limited for all its members together', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob, carol])
    for (let n = 0; n < 6; n++) await at(bob, group).update()
    await stage.sync(carol)
    expect(await tried(6, () => at(carol, group).update())).toMatchObject({ answered: 4, refused: 'rate-limited' })
    expect(await refusedBy('commits-of-group')).toBeGreaterThan(0)
  })
})

describe('groups', () => {
  it('are made so many an hour by one account, by whichever of its devices', async () => {
    const [phone, laptop] = await stage.cast('mallory', 'mallory/laptop')
    const made = await tried(16, (n) => stage.group(n % 2 ? phone : laptop))
    expect(made).toMatchObject({ answered: 12, refused: 'rate-limited' })
    expect(await refusedBy('groups-created')).toBe(4)
  })

  it('are read so many times a minute by one account, in whatever way', async () => {
    const [mallory, alice] = await stage.cast('mallory', 'alice')
    const group = await stage.group(alice)
    const ways = ['', '/group-info', '/tree', '/policy']
    const read = (client: Client, n: number) => client.device.http.get(`${group.path}${ways[n % 4]}`)
    expect(await tried(80, (n) => read(mallory, n))).toMatchObject({ answered: 60, refused: 'rate-limited' })
    expect(await tried(4, (n) => read(alice, n))).toMatchObject({ answered: 4 })
  })

  it('are left, reported and administered so many times', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob])
    expect(await tried(6, () => bob.device.http.post(`${group.path}/leave`, {}))).toMatchObject({ answered: 3 })
    const report = { seq: 1, reason: 'undecryptable' }
    expect(await tried(6, () => bob.device.http.post(`${group.path}/reports`, report))).toMatchObject({ answered: 3 })
    const patch = (n: number) => alice.device.http.put(`${group.path}/policy`, { reports_to_reset: 2 + n })
    expect(await tried(9, patch)).toMatchObject({ answered: 6, refused: 'rate-limited' })
  })
})

describe.each(['public', 'private'] as const)('a device, in %s groups', (mode) => {
  it('is put into so many groups an hour by one account, and so many by all: neither uses up the other’s first', async () => {
    const [mallory, oscar, alice, victim] = await stage.cast('mallory', 'oscar', 'alice', 'victim')
    const push = async (by: Client) => {
      const group = await stage.group(by, [], { mode })
      return submit(by, group, (await draft(group, [await addOf(by, victim)])).bundle)
    }
    expect(await tried(8, () => push(mallory))).toMatchObject({ answered: 4, refused: 'rate-limited' })
    // What was refused did not count for the victim: two are left for the others.
    expect(await tried(4, () => push(oscar))).toMatchObject({ answered: 2, refused: 'rate-limited' })
    const other = await stage.group(alice, [], { mode })
    expect(await refusal(submit(alice, other, (await draft(other, [await addOf(alice, victim)])).bundle))).toMatchObject({ status: 429 })
    await stage.sync(victim)
    expect(victim.groups.size).toBe(6)
  })

  it('of the same account counts for nobody', async () => {
    const [phone, tablet] = await stage.cast('erin', 'erin/tablet')
    const groups = await Promise.all(Array.from({ length: 6 }, () => stage.group(phone, [], { mode })))
    for (const group of groups) await submit(phone, group, (await draft(group, [await addOf(phone, tablet)])).bundle)
    await stage.sync(tablet)
    expect(tablet.groups.size).toBe(6)
  })
})

describe('a join code', () => {
  const policy = { external_join: 'code', join_code: 'correct horse' } as const

  it('is guessed so many times an hour by one account; then the right one waits as well', async () => {
    const [alice, mallory, bob] = await stage.cast('alice', 'mallory', 'bob')
    const group = await stage.group(alice, [], { policy })
    const together = await Promise.all(Array.from({ length: 9 }, (_, n) => tried(1, () => codeOf(mallory, group, `guess ${n}`))))
    expect(together.filter(({ answered }) => answered).length).toBe(5)
    expect(await refusal(codeOf(mallory, group, 'correct horse'))).toMatchObject({ status: 429 })
    expect(await refusedBy('join-code-guesses')).toBeGreaterThan(0)
    // Others come in, by the right code as often as they like.
    for (let n = 0; n < 8; n++) await codeOf(bob, group, 'correct horse')
    expect(await tried(8, () => codeOf(bob, group, 'wrong'))).toMatchObject({ answered: 5 })
  })

  it('that a stranger shows tells by no limit whether there is a group, nor whether it asks for a code', async () => {
    const [alice, ...strangers] = await stage.cast('alice', 'm1', 'm2', 'm3')
    const groups = [await stage.group(alice, [], { policy }), await stage.group(alice), { path: '/v1/groups/bm9uZQ' }]
    const answers = await Promise.all(
      strangers.map(async (stranger, n) => (await tried(8, (at) => codeOf(stranger, groups[n]!, `guess ${at}`))).answered),
    )
    expect(answers).toEqual([5, 5, 5])
  })

  it('is guessed so many times an hour in one group by all accounts together', async () => {
    const [alice, ...guessers] = await stage.cast('alice', 'm1', 'm2', 'm3', 'm4')
    const group = await stage.group(alice, [], { policy })
    let guesses = 0
    for (const guesser of guessers) guesses += (await tried(5, (n) => codeOf(guesser, group, `guess ${n}`))).answered
    expect(guesses).toBe(12)
  })

  it('that came with a Commit counts in the same way', async () => {
    const [alice, mallory] = await stage.cast('alice', 'mallory')
    const group = await stage.group(alice, [], { policy })
    const { groupId, mode, suite } = group.record
    const join = (code: string) => joinExternally(mallory.device, { groupId, mode, suite, resync: false, joinCode: code })
    for (let n = 0; n < 5; n++) await refusal(join(`guess ${n}`))
    expect(await refusal(join('correct horse'))).toMatchObject({ status: 429 })
  })
})

describe('the bytes of a day', () => {
  it('are counted per account, over all groups and kinds; the refusal says how many are used and allowed', async () => {
    const [mallory, alice] = await stage.cast('mallory', 'alice')
    const group = await stage.group(mallory, [], { mode: 'private', policy: { external_join: 'none' } })
    const send = () => group.send('x'.repeat(100 * 1024))
    const { answered } = await tried(6, send)
    expect(answered).toBe(3)
    const refused = await refusal(send())
    expect(refused).toMatchObject({ status: 429, document: { allowed: 400 * 1024 } })
    expect(refused.document['used']).toBeLessThanOrEqual(400 * 1024)
    expect(refused.document['used']).toBeGreaterThan(300 * 1024)
    // Something small still fits.
    await group.send('hello')
    await (await stage.group(alice)).send('hello')
  })
})
