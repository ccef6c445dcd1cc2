import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { CertifiedKey } from '../../../src/protocol/identity/entry.js'
import { activeCertificates } from '../../../src/protocol/identity/device-list.js'
import { TestDevice, UNLIMITED, type Answer } from '../../authentication/device-fixture.js'
import { privateKey, seconds, type Holder } from '../../support/mls/device-lists.js'
import { startServer, type TestServer } from '../../support/server.js'
import { ListedAccount, refusalOf } from '../listed-account.js'

let server: TestServer
beforeAll(async () => {
  server = await startServer({ ...UNLIMITED, LIMITS: 'device-list-changes=10000,device-list-certificates=1000' })
})
afterAll(() => server.close())

const RECOVERY = { kind: 'recovery-key', rights: 1 } as const
/** Entries of one request. */
const AT_ONCE = 16

const outcome = (answer: Answer): string => (answer.status === 200 ? 'taken' : refusalOf(answer))

/** Who has a device of an account with recovery words, which the identity key certified. */
class Thief {
  private constructor(
    readonly account: ListedAccount,
    readonly words: Holder,
    private holder: Holder,
    private sent: number,
    private kept = holder,
  ) {}

  static async ofPhone(): Promise<Thief> {
    const account = await ListedAccount.prepared(server.url)
    const words = await account.list.certify(account.list.root, '', privateKey(), RECOVERY)
    expect((await account.register()).status).toBe(201)
    return new Thief(account, words, account.holder, 3)
  }

  /** Another certificate of the phone, which makes no more of them. */
  async replace(more: readonly CertifiedKey[] = []): Promise<void> {
    const { list, phone } = this.account
    const { keys } = await list.certificate(phone.client, [this.holder.key])
    this.holder = await list.certify(this.holder, phone.client, this.holder.key, { keys: [...keys, ...more] })
  }

  enrol(by = this.holder): Promise<Holder> {
    return this.account.list.certify(by, '', privateKey(), RECOVERY)
  }

  revoke(number: number): Promise<Uint8Array> {
    return this.account.list.revoke(this.holder, number)
  }

  /** Sends what was written. What is refused is forgotten. */
  async send(): Promise<string> {
    const { list, phone } = this.account
    const answer = await phone.call('POST', '/v1/device-list', await this.account.update(this.sent + 1, await list.head(this.holder)))
    if (answer.status === 200) [this.sent, this.kept] = [list.number, this.holder]
    else list.entries.splice(this.sent)
    this.holder = this.kept
    return outcome(answer)
  }

  /** Writes until the list has so many entries, or something is refused. */
  async fill(until: number, write: () => Promise<unknown>, atOnce = AT_ONCE): Promise<string> {
    const { list } = this.account
    let answer = 'taken'
    while (list.number < until && answer === 'taken') {
      const last = Math.min(until, list.number + atOnce)
      while (list.number < last) await write()
      answer = await this.send()
    }
    return answer
  }

  /** What happens when the owner of the words comes back on a new device, and ends the stolen one with all that it certified. */
  async ownerReturns(): Promise<string[]> {
    const { list, phone } = this.account
    const found = new TestDevice(phone.http, phone.name, `found${list.number}`)
    const own = await list.certify(this.words, found.client, found.key.privateKey)
    const account = new ListedAccount(found, list, own)
    const registered = await found.register({ device_list: await account.update(own.number) })
    if (registered.status !== 201) return [refusalOf(registered)]
    await found.login()
    await list.revoke(own, this.holder.number, this.words.number + 1)
    const revoked = outcome(await account.append(list.number))
    const left = activeCertificates((await account.seen()).list).map(({ number }) => number)
    // The words, and what they have certified.
    return ['registered', revoked, left.length === 2 ? 'alone' : `${left.length} are active`]
  }
}

describe('a stolen device that uses up the list', () => {
  it('by active certificates: the words certify one more', async () => {
    const thief = await Thief.ofPhone()
    expect(await thief.fill(60, () => thief.enrol(), 1)).toBe('certificate-number')
    expect(thief.account.list.number).toBe(25)
    expect(await thief.ownerReturns()).toEqual(['registered', 'taken', 'alone'])
  })

  it('and by recovery keys of its own: they have no part in what is kept for the words', async () => {
    const thief = await Thief.ofPhone()
    const own = await thief.enrol()
    await thief.fill(60, () => thief.enrol(), 1)
    await thief.enrol(own)
    expect(await thief.send()).toBe('certificate-number')
    expect(await thief.ownerReturns()).toEqual(['registered', 'taken', 'alone'])
  })

  it('by numbers of entries: the words certify more than one', async () => {
    const thief = await Thief.ofPhone()
    const junk: number[] = []
    expect(await thief.fill(844, () => thief.replace())).toBe('taken')
    expect(await thief.fill(864, async () => junk.push((await thief.enrol()).number))).toBe('taken')
    await thief.enrol()
    expect(await thief.send()).toBe('entry-number')
    // It may still revoke, which takes no number from the words.
    expect(await thief.fill(884, () => thief.revoke(junk.pop() ?? 0))).toBe('taken')
    expect((await thief.account.seen()).entries).toHaveLength(884)
    expect(await thief.ownerReturns()).toEqual(['registered', 'taken', 'alone'])
    expect(await thief.ownerReturns()).toContain('registered')
  }, 120_000)

  it('by bytes: the words certify one more', async () => {
    const thief = await Thief.ofPhone()
    const large = (fill: number) => ({ scheme: 0x0a0b, publicKey: Buffer.alloc(15_000, fill), possession: Buffer.alloc(0) })
    let fill = 0
    // Only the last certificate of a request has to name keys that are registered.
    const pair = () => thief.replace(fill++ % 2 === 0 ? [large(fill)] : [])
    expect(await thief.fill(200, pair, 4)).toBe('too-large')
    expect(await thief.fill(400, () => thief.replace(), 1)).toBe('too-large')
    expect(await thief.ownerReturns()).toEqual(['registered', 'taken', 'alone'])
  })
})

it('a stolen device that dates its head ahead does not keep its revocation out', async () => {
  const account = await ListedAccount.registered(server.url)
  const { device: thief, holder } = await account.addDevice('stolen')
  const { list } = account
  const ahead = await list.head(holder, { issuedAt: seconds() + 290n, expiresAt: seconds() + 1_000_000n })
  const renewal = await thief.call('PUT', '/v1/device-list/head', { head: Buffer.from(ahead).toString('base64url') })
  expect(renewal.status).toBe(200)
  await list.revoke(account.holder, holder.number)
  expect(outcome(await account.append(list.number))).toBe('taken')
  // A renewal of the same list still has to be newer than the one before.
  const { head } = await account.update(list.number, await list.head(account.holder, { issuedAt: list.time + 10n }))
  expect((await account.phone.call('PUT', '/v1/device-list/head', { head })).status).toBe(200)
  const older = await account.update(list.number, await list.head(account.holder, { issuedAt: list.time + 9n }))
  expect(refusalOf(await account.phone.call('PUT', '/v1/device-list/head', { head: older.head }))).toBe('head-validity')
})
