import { deleteAccount } from '../client/account-end.js'
import { Client } from '../client/client.js'
import { Device, newDevice } from '../client/device.js'
import type { Group } from '../client/group.js'
import { sealedRequest } from '../client/sealed/sealed-post.js'
import { publishSenderKey, senderKey } from '../client/sealed/sender-key.js'
import { deviceList } from './device-list.js'
import { groupInfoRequest } from './sealed-info.js'
import { sendToken } from './send-token.js'
import { toBase64Url, utf8 } from '../client/wire.js'

const GROUP_ID = utf8('lobby-1')
const ROOM = 'lobby'
const JOINING = { external_join: 'code', join_code: 'open sesame' } as const

interface Keys {
  id: number
}

/**
 * A walk through the API that meets each operation of a provider without others, in an order that works on a server without users.
 * @param age see `deviceList`
 */
export async function walk(baseUrl: string, domain: string, age: (user: string) => Promise<void>): Promise<void> {
  const [alice, laptop, bob, carol] = await Promise.all(
    ['alice/phone', 'alice/laptop', 'bob/phone', 'carol/phone'].map((name) => person(baseUrl, domain, name)),
  )
  if (!alice || !laptop || !bob || !carol) throw new Error('Four people take part')
  await accounts(alice, laptop, [bob, carol])
  await keyPackages(alice, [laptop, bob])
  await deviceList(await person(baseUrl, domain, 'dave/phone'), age)
  await between(alice, bob)
  const group = await grouped(alice, laptop, bob)
  await talking(group, bob, domain)
  await ruling(alice, group.path)
  await asking(bob, carol)
  await ending(alice, laptop, bob, carol, group)
}

function person(baseUrl: string, domain: string, name: string): Promise<Client> {
  const [user = '', device = ''] = name.split('/')
  // Without an identity, so that the operations of both kinds of accounts are met: dave's has a device list.
  return Client.create({ baseUrl, domain, user, device, suites: [1], encoding: 'json', identity: false })
}

async function accounts(alice: Client, laptop: Client, others: readonly Client[]): Promise<void> {
  await alice.device.register()
  await alice.device.enrol(laptop.device)
  for (const { device } of others) await device.register()
  const { http, record } = alice.device
  await alice.device.refresh()
  await http.get('/.well-known/jwks.json')
  await http.get('/.well-known/private-token-issuer-directory')
  await http.get('/v1/tokens/issuer')
  await http.get('/v1/devices')
  await http.get(`/v1/directory?identity=${encodeURIComponent(alice.user)}`)
  // Of the same session, so with the same proof key.
  const { keys } = await newDevice(record.user, record.client, [1])
  const second = new Device(http, { ...record, keys })
  const { nonce, signature_keys } = await second.proofs.possession('new-key')
  const [added] = signature_keys
  if (!added) throw new Error('The second key is proven')
  await http.post('/v1/credentials/x509', { public_key: record.keys.get(1)?.publicKey })
  await http.get('/v1/credentials/x509/authorities?domain=localhost')
  const key = added.public_key
  const { id } = await http.post<Keys>('/v1/devices/self/keys', { ...added, nonce }, await alice.device.proofs.stepUp('add-key', key))
  await http.delete(`/v1/devices/self/keys/${id}`, await alice.device.proofs.stepUp('retire-key', key))
}

async function keyPackages(alice: Client, others: readonly Client[]): Promise<void> {
  for (const { device } of [...others, alice]) await device.publishKeyPackages(1)
  const { http, record } = alice.device
  await http.get('/v1/key-packages')
  const [ref = ''] = record.keyPackages.keys()
  await http.delete(`/v1/key-packages/${toBase64Url(Buffer.from(ref, 'hex'))}`)
}

async function between(alice: Client, bob: Client): Promise<void> {
  const { http } = alice.device
  await bob.device.http.put('/v1/me/searchable', { searchable: true })
  await bob.device.http.get('/v1/me/searchable')
  await http.get('/v1/me')
  await http.get('/v1/me/export')
  await http.get('/v1/me/usage')
  await http.post('/v1/identifier-queries', { domain: 'localhost', handle: 'bob' }).catch(() => undefined) // off by default
  await http.post('/v1/consents', { target: 'bob' })
  await http.delete('/v1/consents/bob')
  await http.post('/v1/consents', { target: 'bob' })
  await http.delete('/v1/consents?user=bob')
  await bob.device.http.put('/v1/consents/alice', { state: 'granted' })
  await bob.device.http.put(`/v1/consents?user=${encodeURIComponent(alice.user)}`, { state: 'granted' })
  await bob.device.http.get('/v1/consents')
}

async function grouped(alice: Client, laptop: Client, bob: Client): Promise<Group> {
  const group = await alice.createGroup({ groupId: GROUP_ID, mode: 'public', room: ROOM, policy: JOINING })
  await group.add(bob.user)
  await bob.poll()
  await laptop.joinExternally({ groupId: GROUP_ID, mode: 'public', suite: 1, joinCode: JOINING.join_code })
  await group.catchUp()
  await bob.group(GROUP_ID).catchUp()
  const { http } = alice.device
  await http.get(`${group.path}/log/vanished?from_seq=1`)
  await http.get('/v1/groups')
  await http.get(`/v1/rooms/${ROOM}`)
  await http.get(`/v1/rooms?room=${encodeURIComponent(`mimi://localhost/r/${ROOM}`)}`)
  await laptop.device.http.post(`${group.path}/sealed-group-info`, { request: await groupInfoRequest(laptop) })
  return group
}

async function talking(group: Group, bob: Client, domain: string): Promise<void> {
  const { http } = group.device
  await http.post(`${group.path}/messages`, { message: await group.encrypt('Hello', group.epoch) })
  const key = await senderKey(group)
  await publishSenderKey(group, key)
  const message = await group.encrypt('Hello, says a member', group.epoch)
  const token = await sendToken(http, domain)
  const { path, headers, body } = sealedRequest(group.record.groupId, key, token, message, group.record.incarnation)
  const sealed = await fetch(http.baseUrl + path, {
    method: 'POST',
    headers: { ...headers, accept: 'application/json' },
    body: new Uint8Array(body),
  })
  if (!sealed.ok) throw new Error(`The sealed post was answered ${sealed.status}: ${await sealed.text()}`)
  await http.get(`${group.path}/sender-keys`)
  const other = bob.device.http
  await other.post(`${group.path}/reports`, { seq: 2, reason: 'other' })
  await other.post(`${group.path}/abuse-reports`, { alleged_abuser: 'mimi://localhost/u/alice', note: 'Sends the same thing all day' })
  await bob.group(GROUP_ID).catchUp()
  await other.put(`${group.path}/delivery`, { delivery: 'muted' })
  await other.put(`${group.path}/delivery`, { delivery: 'all' })
  await bob.group(GROUP_ID).proposeLeaving()
  await group.catchUp()
}

async function ruling(alice: Client, path: string): Promise<void> {
  const { http } = alice.device
  await http.get(`${path}/policy`)
  await http.put(`${path}/policy`, { remove_members: 'admins' })
  await http.put(`${path}/admins/bob`)
  await http.delete(`${path}/admins/bob`)
  const bob = encodeURIComponent('mimi://localhost/u/bob')
  await http.put(`${path}/admins?user=${bob}`)
  await http.delete(`${path}/admins?user=${bob}`)
  await http.put('/v1/blocks/carol')
  await http.get('/v1/blocks')
  await http.delete('/v1/blocks/carol')
  const dave = encodeURIComponent('mimi://localhost/u/dave')
  await http.put(`/v1/blocks?user=${dave}`)
  await http.delete(`/v1/blocks?user=${dave}`)
  await http.put(`${path}/bans/carol`)
  await http.delete(`${path}/bans/carol`)
  const carol = encodeURIComponent('mimi://localhost/u/carol')
  await http.put(`${path}/bans?user=${carol}`)
  await http.delete(`${path}/bans?user=${carol}`)
}

async function asking(bob: Client, carol: Client): Promise<void> {
  const { http } = bob.device
  await bob.device.askMe('ask')
  await http.get('/v1/me/invitations')
  const group = await carol.createGroup({ groupId: utf8('of-a-stranger'), mode: 'public' })
  await group.add(bob.user)
  await http.get('/v1/invitations')
  await http.post(`/v1/invitations/${toBase64Url(GROUP_ID)}/accept`)
  await http.delete(`/v1/invitations/${toBase64Url(group.record.groupId)}`)
}

async function ending(alice: Client, laptop: Client, bob: Client, carol: Client, group: Group): Promise<void> {
  await laptop.group(GROUP_ID).leave()
  await alice.device.http.post(`${group.path}/reset`)
  await alice.device.http.delete(`${group.path}/reset`)
  await alice.device.http.post(`${group.path}/reset`)
  await group.delete()
  await alice.device.http.delete('/v1/key-packages')
  await deleteAccount(carol.device)
  await alice.device.revoke('laptop')
  await bob.device.http.delete('/v1/auth/sessions')
}
