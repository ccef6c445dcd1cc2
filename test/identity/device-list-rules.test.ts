import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { generateKeyPairSync } from 'node:crypto'
import { toBase64url } from '../../src/platform/http/bytes.js'
import { RIGHTS, type EntryContent } from '../../src/protocol/identity/entry.js'
import type { HeadContent } from '../../src/protocol/identity/head.js'
import { IDENTITY_RULES } from '../../src/protocol/identity/rules.js'
import { startServer, type TestServer } from '../support/server.js'
import { Http, newName, TestDevice, UNLIMITED } from '../authentication/device-fixture.js'
import { ListMaker, listKey, privateKey, seconds, type Holder } from '../support/mls/device-lists.js'
import { BROKEN_CERTIFICATES, type Case } from './broken-certificates.js'
import { ListedAccount, refusalOf } from './listed-account.js'

const LAPTOP = 'mimi://example.com/d/alice/laptop'
const DAY = 86_400n

/** The broken lists are of users of example.com. */
class OfExample extends TestDevice {
  override get client(): string {
    return super.client.replace('localhost', 'example.com')
  }
  override get user(): string {
    return super.user.replace('localhost', 'example.com')
  }
}

let server: TestServer
let account: ListedAccount
beforeAll(async () => {
  server = await startServer({ ...UNLIMITED, DOMAIN: 'example.com', LIMITS: 'device-list-changes=10000' })
  account = await ListedAccount.of(new OfExample(new Http(server.url), 'alice'))
  expect((await account.register()).status).toBe(201)
})
afterAll(() => server.close())

/** What comes of entries that follow the phone's, which the list has again afterwards. */
async function outcome(spoil: Case[2], head?: () => Promise<Uint8Array>): Promise<string> {
  const { list, holder, phone } = account
  const { time } = list
  try {
    await spoil(list, holder)
    const update = await account.update(3, head && (await head()))
    const answer = await phone.call('POST', '/v1/device-list', update)
    return answer.status === 200 ? 'accepted' : refusalOf(answer)
  } finally {
    list.entries.splice(2)
    list.time = time
  }
}

const withContent = (wish: Partial<EntryContent>) => async (maker: ListMaker) =>
  maker.append(maker.root, { type: 'certificate', certificate: await maker.certificate(LAPTOP, [privateKey()]) }, wish)

const BROKEN_ENTRIES: readonly Case[] = [
  ['entry-user', 'of another user', withContent({ user: 'mimi://example.com/u/bob' })],
  ['entry-previous', 'after another entry', withContent({ previous: new Uint8Array(32) })],
  ['entry-time', 'before the entry before', withContent({ time: 1n })],
  ['entry-first', 'a second identity', (maker) => maker.append(maker.root, { type: 'identity', identityKey: listKey(privateKey()) })],
  ['entry-signer', 'by an entry that is no certificate', (maker, { key }) => maker.certify({ number: 9, key }, LAPTOP, privateKey())],
  [
    'entry-right',
    'a revocation without revoke',
    async (maker, phone) => {
      const tablet = await maker.certify(maker.root, LAPTOP, privateKey(), { rights: RIGHTS.enrol })
      await maker.revoke(tablet, phone.number)
    },
  ],
  ['entry-signature', 'by another key', (maker, { number }) => maker.certify({ number, key: privateKey() }, LAPTOP, privateKey())],
  [
    'entry-number',
    'a gap behind the first new one',
    async (maker, phone) => {
      await maker.certify(phone, LAPTOP, privateKey())
      await maker.append(phone, { type: 'revocation', revocation: { revoked: 3, since: 0 } }, { number: 5 })
    },
  ],
]

/** Here they are refused earlier: for the number of entries, or because they are not those that the server has. */
const OTHERWISE = new Set(['too many', 'a key that was certified for another identity'])

describe('the server refuses entries that break', () => {
  it.each([...BROKEN_ENTRIES, ...BROKEN_CERTIFICATES.filter(([, what]) => !OTHERWISE.has(what))])('%s: %s', async (rule, _what, spoil) => {
    expect(await outcome(spoil)).toBe(rule)
  })

  it.each([
    ['ahead', 360n],
    ['ago', -360n],
  ])('entry-time: six minutes %s', async (_what, off) => {
    const other = await ListedAccount.of(new OfExample(new Http(server.url), newName()), seconds() + off)
    expect(refusalOf(await other.register())).toBe('entry-time')
  })

  it('entry-encoding: nothing of the kind', async () => {
    const { head } = await account.update(2)
    const answer = await account.phone.call('POST', '/v1/device-list', { entries: [toBase64url(Buffer.of(1, 2, 3))], head })
    expect(refusalOf(answer)).toBe('entry-encoding')
  })

  it('has every rule of entries in a test', () => {
    const tested = new Set<string>([...BROKEN_ENTRIES, ...BROKEN_CERTIFICATES].map(([rule]) => rule))
    const rules = Object.keys(IDENTITY_RULES).filter((rule) => !/^(head|device|passkey)-/.test(rule))
    expect(rules.filter((rule) => !tested.has(rule))).toEqual(['entry-encoding', 'identity-key'])
  })

  it('identity-key: Ed448', async () => {
    const { phone } = account
    const list = await ListMaker.begin(phone.user, generateKeyPairSync('ed448').privateKey)
    const body = { entries: list.entries.map(toBase64url), head: toBase64url(await list.head(list.root)) }
    expect(refusalOf(await new OfExample(phone.http, 'alice', 'tablet').register({ device_list: body }))).toBe('identity-key')
  })
})

describe('the server refuses a head that breaks', () => {
  const head = (wish: Partial<HeadContent>, signer?: Holder) => () => account.list.head(signer ?? account.holder, wish)
  const enrol = (maker: ListMaker, phone: Holder) => maker.certify(phone, '', privateKey(), { kind: 'recovery-key', rights: RIGHTS.enrol })

  it.each<[string, string, () => Promise<Uint8Array>]>([
    ['head-encoding', 'nothing of the kind', () => Promise.resolve(Buffer.of(1, 2))],
    ['head-user', 'of another user', head({ user: 'mimi://example.com/u/bob' })],
    ['head-entry', 'of the entry before', head({ number: 2 })],
    ['head-entry', 'of another entry', head({ hash: new Uint8Array(32) })],
    ['head-signer', 'by no holder', () => head({}, { number: 9, key: privateKey() })()],
    ['head-right', 'by who may not attest', () => head({}, { number: 3, key: privateKey() })()],
    ['head-validity', 'for 31 days', () => head({ expiresAt: account.list.time + 31n * DAY })()],
    ['head-validity', 'before the last entry', () => head({ issuedAt: account.list.time - 1n })()],
    ['head-validity', 'ten minutes ahead', () => head({ issuedAt: account.list.time + 600n })()],
    ['head-signature', 'by another key', () => head({}, { number: 2, key: privateKey() })()],
  ])('%s: %s', async (rule, _, make) => {
    expect(await outcome(enrol, make)).toBe(rule)
  })

  it('head-validity: that has expired', async () => {
    const other = await ListedAccount.of(new OfExample(new Http(server.url), newName()), seconds() - 100n)
    const expired = await other.list.head(other.holder, { expiresAt: other.list.time + 50n })
    const answer = await other.phone.register({ device_list: await other.update(1, expired) })
    expect(refusalOf(answer)).toBe('head-validity')
  })
})
