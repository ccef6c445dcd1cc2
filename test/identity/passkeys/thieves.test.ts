import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { generateKeyPairSync } from 'node:crypto'
import { fromBase64url } from '../../../src/platform/http/bytes.js'
import { decodeEntry, encodeEntry, encodeEntryContent, ENTRY_LABEL, hashOfEntry } from '../../../src/protocol/identity/entry.js'
import { activeCertificates } from '../../../src/protocol/identity/device-list.js'
import { signContent } from '../../../src/protocol/mls/signature.js'
import { TestDevice, UNLIMITED } from '../../authentication/device-fixture.js'
import { passkeySignature, privateKey, type AssertionWish } from '../../support/mls/device-lists.js'
import { startServer, type TestServer } from '../../support/server.js'
import { ListedAccount, readList, refusalOf } from '../listed-account.js'

const RP_ID = 'passkeys.example'

let server: TestServer
beforeAll(async () => {
  server = await startServer({ ...UNLIMITED, LIMITS: 'device-list-changes=10000' })
})
afterAll(() => server.close())

async function withPasskey() {
  const account = await ListedAccount.registered(server.url)
  const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const passkey = await account.list.certify(account.holder, RP_ID, key, { kind: 'passkey', rights: 1 })
  expect((await account.append(3)).status).toBe(200)
  return { account, passkey, thief: new TestDevice(account.phone.http, account.phone.name, 'thief') }
}

const inbox = async (device: TestDevice): Promise<string[]> => {
  const answer = await device.call('GET', '/v1/events?wait=0')
  const { inbox: items } = answer.body as unknown as { inbox: { kind: string; client?: string }[] }
  return items.map(({ kind, client }) => `${kind} ${client?.split('/').at(-1)}`)
}

/** One revocation of the passkey, and of all that it has certified. */
async function endsAll(account: ListedAccount, passkey: number): Promise<void> {
  await account.list.revoke(account.holder, passkey, 4)
  expect((await account.append(5)).status).toBe(200)
}

it('a thief of a passkey who is taken for its user gets one device at a time, which all others hear of, and which one revocation ends', async () => {
  const { account, passkey, thief } = await withPasskey()
  const holder = await account.list.certify(passkey, thief.client, thief.key.privateKey)
  expect((await thief.register({ device_list: await account.update(4, await account.list.head(holder)) })).status).toBe(201)
  expect(await inbox(account.phone)).toContain('device.added thief')
  await endsAll(account, passkey.number)
  expect(await thief.standing()).toBe('device-revoked')
  const { list } = await account.seen()
  expect(activeCertificates(list).map(({ subject }) => subject)).toEqual([account.phone.client])
})

it('a passkey by itself ends nothing and signs no head', async () => {
  const { account, passkey } = await withPasskey()
  const send = async (from: number, head?: Uint8Array) =>
    refusalOf(await account.phone.call('POST', '/v1/device-list', await account.update(from, head)))
  await account.list.revoke(passkey, account.holder.number)
  expect(await send(4)).toBe('entry-right')
  account.list.entries.pop()
  await account.list.certify(passkey, '', privateKey(), { kind: 'recovery-key', rights: 1 })
  expect(await send(4, await account.list.head(passkey))).toBe('head-right')
  account.list.entries.pop()
  await account.list.certify(passkey, 'other.example', privateKey(), { kind: 'passkey', rights: 7 })
  expect(await send(4)).toBe('certificate-rights')
})

/** The list as any account reads it, continued by somebody who has one assertion and no key. */
async function byOneAssertion(wish: AssertionWish = {}) {
  const { account, passkey, thief } = await withPasskey()
  const mallory = await TestDevice.registered(server.url)
  const { entries } = (await readList(mallory, account.phone.user)).body as unknown as { entries: string[] }
  const last = decodeEntry(fromBase64url(entries.at(-1)!)!)
  if (last.kind === 'malformed') throw new Error(last.reason)
  const content = encodeEntryContent({
    ...{ user: account.phone.user, number: 4, previous: hashOfEntry(last.value), time: account.list.time, signer: passkey.number },
    body: { type: 'certificate', certificate: await account.list.certificate(thief.client, [thief.key.privateKey]) },
  })
  // What the user is asked for looks like any login.
  const assertion = passkeySignature(passkey.key, RP_ID, signContent(ENTRY_LABEL, content), wish)
  account.list.entries.push(encodeEntry(content, assertion))
  const head = await account.list.head({ number: 4, key: thief.key.privateKey })
  return { account, passkey, thief, answer: await thief.register({ device_list: await account.update(4, head) }) }
}

it('who serves the pages of the RP ID gets a device by one signature that its user takes for something else, and not in silence', async () => {
  const { account, passkey, thief, answer } = await byOneAssertion()
  expect(answer.status).toBe(201)
  expect(await inbox(account.phone)).toContain('device.added thief')
  await endsAll(account, passkey.number)
  expect(await thief.standing()).toBe('device-revoked')
})

it.each<[string, AssertionWish]>([
  ['another page', { origin: 'https://login.passkeys.example' }],
  ['a page without TLS', { origin: `http://${RP_ID}` }],
  ['a page of another RP ID', { rpId: 'example.com', origin: 'https://example.com' }],
])('who serves %s gets nothing by it', async (_what, wish) => {
  const { account, answer } = await byOneAssertion(wish)
  expect(refusalOf(answer)).toBe('registration-refused')
  expect(await inbox(account.phone)).toEqual([])
})
