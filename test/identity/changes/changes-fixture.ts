import type { Pool } from 'pg'
import type { KeyObject } from 'node:crypto'
import { PendingChangesJob } from '../../../src/authentication/device-list/pending/pending-changes.job.js'
import { fromBase64url } from '../../../src/platform/http/bytes.js'
import { decodeEntry, hashOfEntry } from '../../../src/protocol/identity/entry.js'
import { stepUpContent, type StepUpPurpose } from '../../../src/protocol/identity/step-up.js'
import { signContent, signWithLabel } from '../../../src/protocol/mls/signature.js'
import type { Answer, TestDevice } from '../../authentication/device-fixture.js'
import { listKey, passkeySignature, privateKey, type Holder } from '../../support/mls/device-lists.js'
import type { TestServer } from '../../support/server.js'
import { ListedAccount } from '../listed-account.js'

export const RP_ID = 'keys.example'

/** An account whose phone (entry 2) has enrolled a laptop (3), and certified recovery words (4) and a passkey (5), all of them two days ago. */
export interface Household {
  readonly account: ListedAccount
  readonly phone: TestDevice
  readonly laptop: TestDevice
  /** What signs for each. */
  readonly of: { readonly phone: Holder; readonly laptop: Holder; readonly words: Holder; readonly passkey: Holder }
}

export async function household({ url, pool }: TestServer): Promise<Household> {
  const account = await ListedAccount.registered(url)
  const { device: laptop, holder } = await account.addDevice('laptop')
  const { list } = account
  const words = await list.certify(account.holder, '', privateKey(), { kind: 'recovery-key', rights: 1 })
  const passkey = await list.certify(account.holder, RP_ID, privateKey(), { kind: 'passkey', rights: 1 })
  const answer = await account.append(4)
  if (answer.status !== 200) throw new Error(`Certifying gave ${answer.status} ${JSON.stringify(answer.body)}`)
  await age(pool, account)
  await forgetNotices(pool, account)
  return { account, phone: account.phone, laptop, of: { phone: account.holder, laptop: holder, words, passkey } }
}

/** As if the server had taken all certificates of an account two days earlier. */
export async function age(pool: Pool, { phone }: { readonly phone: { readonly user: string } }): Promise<void> {
  await pool.query(
    `UPDATE device_certificate SET certified_at = certified_at - interval '2 days' WHERE account_id = (SELECT id FROM account WHERE user_uri = $1)`,
    [phone.user],
  )
}

export async function forgetNotices(pool: Pool, { phone }: ListedAccount): Promise<void> {
  await pool.query(
    'DELETE FROM inbox WHERE device_id IN (SELECT d.id FROM device d JOIN account a ON a.id = d.account_id WHERE a.user_uri = $1)',
    [phone.user],
  )
}

/** Signs revocations, and sends them. What is refused is taken back. @param targets `since`: with what the target has certified in this entry and later ones */
export async function revoke(
  { account }: Pick<Household, 'account'>,
  by: { device: TestDevice; holder: Holder },
  targets: readonly (Holder & { readonly since?: number })[],
  headers: (hash: Uint8Array) => Promise<Record<string, string>> = () => Promise.resolve({}),
): Promise<Answer> {
  const { list } = account
  const before = list.number
  for (const { number, since } of targets) await list.revoke(by.holder, number, since)
  const body = await account.update(before + 1, await list.head(by.holder))
  const { http, accessToken: token } = by.device
  const answer = await http.call('POST', '/v1/device-list', { body, token, headers: await headers(lastEntryHash(account)) })
  if (answer.status !== 200) list.entries.splice(before)
  return answer
}

export function lastEntryHash({ list }: ListedAccount): Uint8Array {
  return hashOf(list.entries.at(-1)!)
}

export function hashOf(bytes: Uint8Array): Uint8Array {
  const entry = decodeEntry(bytes)
  if (entry.kind === 'malformed') throw new Error(entry.reason)
  return hashOfEntry(entry.value)
}

/** The field `Step-Up` of a session, by any key of its user's list. */
export async function proofBy(
  session: TestDevice,
  purpose: StepUpPurpose,
  subject: Uint8Array,
  { key, rpId }: { key: KeyObject; rpId?: string },
): Promise<{ 'step-up': string }> {
  const challenge = await session.http.challenge(session.client, purpose)
  const nonce = fromBase64url(challenge.nonce)!
  const { domain, expires_at, label } = challenge
  const content = stepUpContent({ domain, client: session.client, nonce, expiresAt: BigInt(expires_at), subject })
  const proof = rpId === undefined ? await signWithLabel(key, label, content) : passkeySignature(key, rpId, signContent(label, content))
  const item = (bytes: Uint8Array) => `:${Buffer.from(bytes).toString('base64')}:`
  return { 'step-up': `nonce=${item(nonce)}, key=${item(listKey(key).publicKey)}, proof=${item(proof)}` }
}

/** Approves or refuses what waits, by a key. */
export async function decide(what: 'approve' | 'refuse', session: TestDevice, by: { key: KeyObject; rpId?: string }): Promise<Answer> {
  const { entries } = (await session.call('GET', '/v1/device-list/pending')).body as unknown as { entries?: string[] }
  const hash = entries === undefined ? Buffer.alloc(32) : hashOf(fromBase64url(entries.at(-1)!)!)
  const headers = await proofBy(session, `${what}-change`, hash, by)
  return what === 'approve'
    ? call(session, 'POST', '/v1/device-list/pending/approval', headers)
    : call(session, 'DELETE', '/v1/device-list/pending', headers)
}

export function call(session: TestDevice, method: string, path: string, headers: Record<string, string>): Promise<Answer> {
  return session.http.call(method, path, { token: session.accessToken, headers })
}

/** As if the delay were over, without the job having run. */
export async function letTimePass(pool: Pool): Promise<void> {
  await pool.query(`UPDATE pending_list_change SET effective_at = now() - interval '1 second'`)
}

/** What the job would do within ten seconds. */
export function runJob({ app }: TestServer): Promise<void> {
  return app.get(PendingChangesJob, { strict: false }).run()
}

/** Kinds in a device's inbox, each with what it names. */
export async function inboxOf(device: TestDevice): Promise<string[]> {
  const { inbox } = (await device.call('GET', '/v1/events?wait=0')).body as unknown as {
    inbox?: { kind: string; client?: string; number?: number }[]
  }
  return (inbox ?? []).map(({ kind, client, number }) =>
    [kind, client?.split('/').at(-1) ?? number].filter((part) => part !== undefined).join(' '),
  )
}
