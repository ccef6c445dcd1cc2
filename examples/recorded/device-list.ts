import type { Client } from '../client/client.js'
import type { Http } from '../client/http.js'
import { ed25519Key, signLabelled, type SigningKey } from '../client/identity/keys.js'
import { beginList, makeEntry, makeHead, possessed, validity } from '../client/identity/making.js'
import { suite } from '../client/mls/suites.js'
import { join, uint, vector } from '../client/mls/tls.js'
import { RIGHTS } from '../client/identity/structures.js'

interface Challenge {
  nonce: Uint8Array
  expires_at: number
  domain: string
}
interface Session {
  access_token: string
  token_type: string
}

/**
 * A user who begins a device list, writes a recovery key into it, renews its head, reads it by the recovery key, and decides on a change that waits.
 * @param age makes the server's record of when it took the user's certificates some days older: what is young has no say
 */
export async function deviceList({ device }: Client, age: (user: string) => Promise<void>): Promise<void> {
  const { http, record } = device
  const { user, client } = record
  const keys = record.keys.get(1)
  if (keys === undefined) throw new Error('The device has a key for cipher suite 1')
  const { scheme, impl } = await suite(1)
  const signing: SigningKey = { scheme, publicKey: keys.publicKey, sign: (content) => impl.signature.sign(keys.signKey, content) }
  const [now, root, own] = [BigInt(Math.floor(Date.now() / 1000)), { number: 1, key: ed25519Key() }, { number: 2, key: signing }]
  const first = await beginList(user, root.key, now)
  const holder = { kind: 'device', subject: client, rights: RIGHTS.all } as const
  const certificate = { ...holder, ...validity('device', now), keys: await possessed(first.end.hash, holder, [own.key]) }
  const second = await makeEntry(first.end, root, { type: 'certificate', certificate }, now)
  const device_list = { entries: [first.bytes, second.bytes], head: await makeHead(second.end, own, now) }
  const { nonce, signature_keys } = await device.proofs.possession('registration')
  const { access_token, token_type } = await http.post<Session>('/v1/accounts', { user, client, nonce, signature_keys })
  Object.assign(http, { accessToken: access_token, bound: token_type === 'DPoP' })
  await http.post('/v1/device-list', device_list, await device.proofs.stepUp('begin-identity', second.end.hash))
  const words24 = ed25519Key()
  const words = { kind: 'recovery-key', subject: '', rights: RIGHTS.enrol } as const
  const recovery = { ...words, ...validity('recovery-key', now), keys: await possessed(first.end.hash, words, [words24]) }
  const third = await makeEntry(second.end, own, { type: 'certificate', certificate: recovery }, now)
  await http.post('/v1/device-list', { entries: [third.bytes], head: await makeHead(third.end, own, now) })
  await http.put('/v1/device-list/head', { head: await makeHead(third.end, own, now, now + 1n) })
  await http.get(`/v1/device-lists?user=${encodeURIComponent(user)}&from=2`)
  await recovered(http, client.replace(/[^/]+$/, 'found'), words24)
  await age(user)
  const fourth = await makeEntry(third.end, own, { type: 'revocation', revocation: { revoked: 3, since: 0 } }, now)
  const revoked = { entries: [fourth.bytes], head: await makeHead(fourth.end, own, now) }
  await http.post('/v1/device-list', revoked)
  await http.get('/v1/device-list/pending')
  await http.delete('/v1/device-list/pending', await device.proofs.stepUp('refuse-change', fourth.end.hash, words24))
  await http.post('/v1/device-list', revoked)
  await http.post('/v1/device-list/pending/approval', {}, await device.proofs.stepUp('approve-change', fourth.end.hash, words24))
}

/** The list, as somebody reads it who has lost all devices. */
async function recovered(http: Http, client: string, key: SigningKey): Promise<void> {
  const challenge = await http.post<Challenge>('/v1/auth/challenges', { client, purpose: 'login' })
  const content = join(vector(challenge.domain), vector(client), vector(challenge.nonce), uint(8, challenge.expires_at))
  const proof = await signLabelled(key, 'MicroChat Device Login', content)
  await http.post('/v1/device-lists/recovery', { client, nonce: challenge.nonce, public_key: key.publicKey, proof })
}
