import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { toBase64url } from '../../../src/platform/http/bytes.js'
import { newName, type TestDevice, typeOf, type Answer } from '../../authentication/device-fixture.js'
import { startFederation, type Federation, type Provider } from '../../support/federation.js'
import { privateKey } from '../../support/mls/device-lists.js'
import { introduced } from '../../support/introduced.js'
import { ListedAccount, readList, seenList } from '../listed-account.js'
import { DeviceOf, later } from './planted-lists.js'

let federation: Federation
let a: Provider
let b: Provider
beforeAll(async () => {
  federation = await startFederation(2, { LIMITS: 'device-list-changes=10000,device-list-checks-by=100000' })
  const [first, second] = federation.providers
  if (!first || !second) throw new Error('Two providers take part')
  ;[a, b] = [first, second]
})
afterAll(() => federation.close())

/** Bob of b, with a list, and Alice of a, who asks for it. */
async function people() {
  const alice = new DeviceOf(a)
  await alice.register()
  const bob = await ListedAccount.of(new DeviceOf(b))
  await bob.register()
  await introduced(b, bob.phone.user, 'a.example')
  return { alice, bob }
}

/** Beyond what is shared by those who ask at the same time. */
const ask = (alice: TestDevice, user: string): Promise<Answer> => {
  later(a)
  return readList(alice, user)
}

describe('the device list of another provider’s user', () => {
  it('is the one that its provider has, byte for byte, and grows with it', async () => {
    const { alice, bob } = await people()
    const first = await ask(alice, bob.phone.user)
    expect((first.body as unknown as { entries: string[] }).entries).toEqual(bob.list.entries.map(toBase64url))
    await seenList(first, bob.phone.user)
    await bob.list.certify(bob.holder, '', privateKey(), { kind: 'recovery-key', rights: 1 })
    await bob.append(3)
    expect((await seenList(await ask(alice, bob.phone.user), bob.phone.user)).number).toBe(3)
    const rest = (await readList(alice, bob.phone.user, 3)).body as unknown as { entries: string[] }
    expect(rest.entries).toHaveLength(1)
  })

  it('is none where there is none, or no such user, or no federation with that provider', async () => {
    const { alice } = await people()
    const plain = new DeviceOf(b)
    await plain.register()
    for (const user of [plain.user, `mimi://b.example/u/${newName()}`]) expect(typeOf(await ask(alice, user))).toBe('not-found')
    expect((await ask(alice, 'mimi://nowhere.example/u/bob')).status).toBeGreaterThanOrEqual(500)
  })

  it('is the copy while its provider is away', async () => {
    const { alice, bob } = await people()
    await ask(alice, bob.phone.user)
    const { target } = b.proxy
    b.proxy.target = 'http://127.0.0.1:1'
    try {
      expect((await seenList(await ask(alice, bob.phone.user), bob.phone.user)).number).toBe(2)
    } finally {
      b.proxy.target = target
    }
  })

  it.each([
    [
      'has fewer entries than before',
      'UPDATE device_list SET number = 2, hash = $2, head = $3 WHERE account_id = (SELECT id FROM account WHERE user_uri = $1)',
    ],
    [
      'breaks a rule',
      'UPDATE device_list_entry SET bytes = bytes || $2 || $3 WHERE number = 3 AND account_id = (SELECT id FROM account WHERE user_uri = $1)',
    ],
  ])('is not passed on when it %s', async (_what, change) => {
    const { alice, bob } = await people()
    const head = await bob.list.head(bob.holder)
    await bob.list.certify(bob.holder, '', privateKey(), { kind: 'recovery-key', rights: 1 })
    await bob.append(3)
    await ask(alice, bob.phone.user)
    await b.pool.query(change, [bob.phone.user, Buffer.from(bob.list.identity), head])
    expect(typeOf(await ask(alice, bob.phone.user))).toBe('peer-bad-response')
  })

  it('is not replaced by another identity that its provider does not count', async () => {
    const { alice, bob } = await people()
    await ask(alice, bob.phone.user)
    const forged = await ListedAccount.of(new DeviceOf(b, bob.phone.name))
    await b.pool.query('DELETE FROM device_list_entry WHERE account_id = (SELECT id FROM account WHERE user_uri = $1)', [bob.phone.user])
    const { identity, entries } = forged.list
    const [head, last] = [await forged.list.head(forged.holder), forged.list.number]
    for (const [index, bytes] of entries.entries())
      await b.pool.query(
        'INSERT INTO device_list_entry (account_id, identity, number, bytes) SELECT id, $2, $3, $4 FROM account WHERE user_uri = $1',
        [bob.phone.user, identity, index + 1, bytes],
      )
    const swap = (identities: number) =>
      b.pool.query(
        'UPDATE device_list SET identity = $2, number = $3, head = $4, identities = $5 WHERE account_id = (SELECT id FROM account WHERE user_uri = $1)',
        [bob.phone.user, identity, last, head, identities],
      )
    await swap(1)
    expect(typeOf(await ask(alice, bob.phone.user))).toBe('peer-bad-response')
    // Counted, it is passed on: clients see both, the number and the other first entry.
    await swap(2)
    expect((await seenList(await ask(alice, bob.phone.user), bob.phone.user)).identities).toBe(2)
  })
})
