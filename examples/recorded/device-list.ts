import type { Client } from '../client/client.js'
import { ed25519Key, type SigningKey } from '../client/identity/keys.js'
import { beginList, makeEntry, makeHead, possessed, validity } from '../client/identity/making.js'
import { suite } from '../client/mls/suites.js'
import { RIGHTS } from '../client/identity/structures.js'

interface Session {
  access_token: string
}

/** A user who registers with a device list, writes a recovery key into it, and renews its head. */
export async function deviceList({ device }: Client): Promise<void> {
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
  const { access_token } = await http.post<Session>('/v1/accounts', { user, client, nonce, signature_keys, device_list })
  http.accessToken = access_token
  const words = { kind: 'recovery-key', subject: '', rights: RIGHTS.enrol } as const
  const recovery = { ...words, ...validity('recovery-key', now), keys: await possessed(first.end.hash, words, [ed25519Key()]) }
  const third = await makeEntry(second.end, own, { type: 'certificate', certificate: recovery }, now)
  await http.post('/v1/device-list', { entries: [third.bytes], head: await makeHead(third.end, own, now) })
  await http.put('/v1/device-list/head', { head: await makeHead(third.end, own, now, now + 1n) })
  await http.get(`/v1/device-lists?user=${encodeURIComponent(user)}&from=2`)
}
