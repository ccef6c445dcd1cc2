import { Client } from '../client/client.js'
import { encapsulate, readKeyConfig } from '../client/sealed/oblivious.js'
import { toBase64Url, utf8 } from '../client/wire.js'
import { sendToken } from './send-token.js'

interface Provider {
  readonly url: string
  readonly domain: string
}

/**
 * Bob asks his provider to pass an envelope on to the hub of a group that he is in. What is in the envelope is no valid post, which the
 * hub's answer says inside: for the relay that is an answer like any other.
 */
export async function relayed(own: Provider, hub: Provider): Promise<void> {
  const alice = await member(hub, 'alice')
  const bob = await member(own, 'bob')
  await bob.device.publishKeyPackages(1)
  const group = await alice.createGroup({ groupId: utf8('relayed-1'), mode: 'public', identities: 'any' })
  await group.add(bob.user)
  // His provider relays to hubs of groups that it follows: from the Welcome on.
  for (let asked = 0; bob.groups.size === 0 && asked < 10; asked++) await bob.poll(5)
  const relay = `${own.url}/v1/sealed-relay/${hub.domain}`
  const answered = await fetch(`${relay}/keys`)
  if (!answered.ok) throw new Error(`The keys were answered ${answered.status}: ${await answered.text()}`)
  const config = readKeyConfig(new Uint8Array(await answered.arrayBuffer()))
  const post = {
    path: `${group.path.replace('groups', 'sealed')}/1/messages`,
    headers: { 'content-type': 'message/mls' },
    body: utf8('post'),
  }
  const { message, open } = await encapsulate(config, hub.domain, post)
  const token = toBase64Url((await sendToken(bob.device.http, own.domain)).serialize())
  const headers = { 'content-type': 'message/ohttp-req', authorization: `PrivateToken token="${token}"` }
  const answer = await fetch(relay, { method: 'POST', headers, body: new Uint8Array(message) })
  if (!answer.ok) throw new Error(`The relay answered ${answer.status}: ${await answer.text()}`)
  // Opens only if the hub has read the request.
  open(new Uint8Array(await answer.arrayBuffer()))
}

async function member({ url, domain }: Provider, user: string): Promise<Client> {
  const client = await Client.create({ baseUrl: url, domain, user, device: 'phone', suites: [1], encoding: 'json', identity: false })
  await client.device.register()
  return client
}
