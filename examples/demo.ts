import { randomUUID } from 'node:crypto'
import { createApplicationMessage, decodeMlsMessage, encodeMlsMessage, type ClientState } from 'ts-mls'
import { Client } from './client/client.js'
import { ServerProblem } from './client/http.js'
import { openApplicationMessage } from './client/mls/private-content.js'
import { suite } from './client/mls/suites.js'
import type { Group } from './client/group.js'
import { utf8 } from './client/wire.js'
import { serverForDemo } from './demo-server.js'
import { chapter, name, note, said } from './demo-transcript.js'

/**
 * Two users with two devices each, over real HTTP and WebSocket. `npm run demo` starts a server of its own in a temporary
 * folder; MICROCHAT_URL (and MICROCHAT_DOMAIN, if that is not localhost) points it at another.
 */
async function demo(baseUrl: string, domain: string): Promise<void> {
  const tag = randomUUID().slice(0, 6)
  const groupId = utf8(`demo-${tag}`)
  const cast = await register(baseUrl, domain, tag)
  const { alicePhone, aliceLaptop, bobPhone } = cast
  const group = await createGroup(cast, groupId)
  await chat(cast, groupId)
  const bobTablet = await offlineAndBack(cast, groupId, baseUrl)
  await removal(group, { ...cast, bobTablet }, groupId)
  await leaving(group, cast, groupId)
  await deletion(group, [alicePhone, aliceLaptop], groupId)
  for (const client of [alicePhone, aliceLaptop, bobPhone, bobTablet]) await client.disconnect()
}

interface Cast {
  alicePhone: Client
  aliceLaptop: Client
  bobPhone: Client
  bobTablet: Client
}

async function register(baseUrl: string, domain: string, tag: string): Promise<Cast> {
  chapter('Registration: every device proves that it holds its keys')
  const device = (user: string, label: string) => Client.create({ baseUrl, domain, user: `${user}-${tag}`, device: label, suites: [1] })
  const cast = {
    alicePhone: await device('alice', 'phone'),
    aliceLaptop: await device('alice', 'laptop'),
    bobPhone: await device('bob', 'phone'),
    bobTablet: await device('bob', 'tablet'),
  }
  for (const [first, second] of [
    [cast.alicePhone, cast.aliceLaptop],
    [cast.bobPhone, cast.bobTablet],
  ] as const) {
    await first.device.register()
    note(`${name(first)} registers the account and signs its login challenge`)
    await first.device.enrol(second.device)
    note(`${name(first)} vouches for ${name(second)}, which logs in with its own key`)
  }
  chapter('KeyPackages: so that others can add us while we sleep')
  for (const client of Object.values(cast)) {
    await client.device.publishKeyPackages(5)
    client.connect()
    note(`${name(client)} publishes 5 one-time KeyPackages and one of last resort, and opens its stream`)
  }
  return cast
}

async function createGroup(cast: Cast, groupId: Uint8Array): Promise<Group> {
  chapter('A group: created with one member, then one Commit adds everybody')
  const { alicePhone, aliceLaptop, bobPhone } = cast
  const group = await alicePhone.createGroup({ groupId, mode: 'public' })
  note(`${name(alicePhone)} creates the group at epoch ${group.epoch}`)
  await group.add(aliceLaptop.user, bobPhone.user)
  note(`${name(alicePhone)} claims one KeyPackage of each device and commits the Adds; the group is at epoch ${group.epoch}`)
  for (const client of [aliceLaptop, bobPhone, cast.bobTablet]) {
    await client.until('the Welcome', () => client.groups.size === 1)
    note(`${name(client)} joins by its Welcome at epoch ${client.group(groupId).epoch}`)
  }
  return group
}

async function chat(cast: Cast, groupId: Uint8Array): Promise<void> {
  chapter('Chat: one ciphertext in the log, read by every device of the group')
  const everyone = Object.values(cast)
  await said(cast.alicePhone, 'Hello from my phone', everyone, groupId)
  await said(cast.bobTablet, 'Hi Alice! Nice group', everyone, groupId)
  await said(cast.aliceLaptop, 'My laptop reads this too', everyone, groupId)
}

async function offlineAndBack(cast: Cast, groupId: Uint8Array, baseUrl: string): Promise<Client> {
  chapter('A device goes offline, and comes back with nothing but its saved state')
  const { alicePhone, bobPhone, aliceLaptop, bobTablet } = cast
  await bobTablet.disconnect()
  const saved = bobTablet.store.export()
  note(`${name(bobTablet)} is switched off (its store is ${saved.length} bytes)`)
  const present = [alicePhone, aliceLaptop, bobPhone]
  await said(alicePhone, 'The tablet misses this', present, groupId)
  await bobPhone.group(groupId).update()
  note(`${name(bobPhone)} commits fresh keys: epoch ${bobPhone.group(groupId).epoch}`)
  await said(bobPhone, 'And this, one epoch later', present, groupId)
  const back = await Client.restore(saved, baseUrl)
  back.connect()
  await back.until('what it missed', () => back.group(groupId).texts.length === 5)
  note(`${name(back)} is back at epoch ${back.group(groupId).epoch} and has read, in order: ${quote(back.group(groupId).texts.slice(3))}`)
  return back
}

async function removal(group: Group, cast: Cast, groupId: Uint8Array): Promise<void> {
  chapter('A removal: the device reads up to the Commit that removes it, and no further')
  const { alicePhone, aliceLaptop, bobPhone, bobTablet } = cast
  await group.remove(bobTablet.uri)
  note(`${name(alicePhone)} commits the Remove of ${name(bobTablet)}: epoch ${group.epoch}`)
  await bobTablet.until('its removal', () => bobTablet.group(groupId).record.standing === 'removed')
  const spoken = await said(alicePhone, 'Just the three of us now', [aliceLaptop, bobPhone], groupId)
  const removed = bobTablet.group(groupId)
  const seen = await removed.history(1)
  note(`The server shows ${name(bobTablet)} the log up to seq ${seen.entries.at(-1)?.seq}; the message is seq ${spoken.seq}`)
  const ciphertext = (await bobPhone.group(groupId).history(spoken.seq)).entries[0]?.message ?? new Uint8Array()
  note(`Handed the ciphertext by a friend, ${name(bobTablet)} ${await tryToRead(removed, ciphertext)}`)
  note(`If it ignores its removal and posts all the same, ${await tryToPost(removed)}`)
}

async function tryToRead(group: Group, ciphertext: Uint8Array): Promise<string> {
  const message = decodeMlsMessage(ciphertext, 0)?.[0]
  if (message?.wireformat !== 'mls_private_message') throw new Error('There was no message to try')
  const { impl } = await suite(group.record.suite)
  return openApplicationMessage(group.record.state, message.privateMessage, impl).then(
    () => {
      throw new Error('A removed device has read a later message')
    },
    () => 'still cannot decrypt it: its keys end with its last epoch',
  )
}

async function tryToPost(group: Group): Promise<string> {
  const { impl } = await suite(group.record.suite)
  const pretending: ClientState = { ...group.record.state, groupActiveState: { kind: 'active' } }
  const { privateMessage } = await createApplicationMessage(pretending, utf8('I am still here'), impl)
  const message = encodeMlsMessage({ version: 'mls10', wireformat: 'mls_private_message', privateMessage })
  try {
    await group.device.http.postMessage(`${group.path}/messages`, message)
  } catch (error) {
    if (error instanceof ServerProblem) return `the server answers ${error.status} ${error.kind}`
    throw error
  }
  throw new Error('A removed device was allowed to post')
}

async function leaving(group: Group, cast: Cast, groupId: Uint8Array): Promise<void> {
  chapter('Leaving: nobody can commit their own removal, so the server proposes it')
  const { alicePhone, aliceLaptop, bobPhone } = cast
  await bobPhone.group(groupId).leave()
  note(`${name(bobPhone)} asks to leave; the server, listed as external sender, proposes the Remove`)
  const laptop = aliceLaptop.group(groupId)
  await aliceLaptop.until('the proposal', () => Object.keys(laptop.record.state.unappliedProposals).length > 0)
  await laptop.settle()
  note(`${name(aliceLaptop)} commits it: epoch ${laptop.epoch}`)
  await bobPhone.until('its removal', () => bobPhone.group(groupId).record.standing === 'removed')
  await alicePhone.until('the same epoch', () => group.epoch === laptop.epoch)
  await said(alicePhone, 'Only my own devices are left', [aliceLaptop], groupId)
}

async function deletion(group: Group, members: Client[], groupId: Uint8Array): Promise<void> {
  chapter('Deletion: every ciphertext goes at once')
  const { deleted_entries } = await group.delete()
  note(`The server has deleted ${deleted_entries} entries; a tombstone stays`)
  for (const client of members) {
    await client.until('the notice', () => client.group(groupId).record.standing === 'deleted')
    note(`${name(client)} hears that the group is gone`)
  }
  note(
    `Asking for it again: ${await group.history(1).then(
      () => 'it is still there!',
      (error: ServerProblem) => `${error.status} ${error.kind}`,
    )}`,
  )
}

const quote = (texts: string[]) => texts.map((text) => `"${text}"`).join(', ')

const server = await serverForDemo()
// Ctrl-C reaches the server as well; what is left to do is the temporary folder.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void server.stop().finally(() => process.exit(130)))
try {
  await demo(server.url, server.domain)
} finally {
  await server.stop()
}
