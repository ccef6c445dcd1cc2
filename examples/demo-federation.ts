import { randomUUID } from 'node:crypto'
import { Client } from './client/client.js'
import type { Group } from './client/group.js'
import { utf8 } from './client/wire.js'
import { startProviders, type DemoProvider } from './demo-federation-providers.js'
import { lookInto } from './demo-federation-stored.js'
import { chapter, note } from './demo-transcript.js'

/** A new group lets nobody join by itself. */
const JOINING = { external_join: 'code', join_code: 'open sesame' } as const

/**
 * `npm run demo:federation`: two providers, each a process with a database of its own, and three users who chat across them.
 * Every client talks to its own provider only; the room is at home at a.example, which orders everything (its hub).
 */
async function demo(home: DemoProvider, away: DemoProvider): Promise<void> {
  const tag = randomUUID().slice(0, 6)
  const story: Story = { home, away, groupId: utf8(`federated-${tag}`), texts: [] }
  const cast = await register(story, tag)
  const { alice, carol, bob, laptop } = cast
  const group = await createGroup(story, cast)
  await chat(story, cast)
  await bobAddsCarol(story, cast)
  await secondDevice(story, cast)
  await stored(story)
  await removal(story, group, cast)
  await farewell(story, group, cast)
  for (const client of [alice, carol, bob, laptop]) await client.disconnect()
}

interface Story {
  readonly home: DemoProvider
  readonly away: DemoProvider
  readonly groupId: Uint8Array
  /** Everything that has been said. */
  readonly texts: string[]
}

interface Cast {
  alice: Client
  carol: Client
  bob: Client
  laptop: Client
}

async function register({ home, away }: Story, tag: string): Promise<Cast> {
  chapter('Registration: each user at a provider of their own choice')
  const device = ({ url, domain }: DemoProvider, user: string, label: string) =>
    Client.create({ baseUrl: url, domain, user: `${user}-${tag}`, device: label, suites: [1] })
  const cast = {
    alice: await device(home, 'alice', 'phone'),
    carol: await device(home, 'carol', 'phone'),
    bob: await device(away, 'bob', 'phone'),
    laptop: await device(away, 'bob', 'laptop'),
  }
  for (const client of [cast.alice, cast.carol, cast.bob]) {
    await client.device.register()
    await client.device.publishKeyPackages(3)
    client.connect()
    note(`${who(client)} registers, publishes KeyPackages and opens its stream: all of it at ${providerOf(client)}`)
  }
  return cast
}

async function createGroup({ groupId, away }: Story, { alice, bob }: Cast): Promise<Group> {
  chapter('A group at a.example takes in a user of b.example')
  const group = await alice.createGroup({ groupId, mode: 'public', policy: JOINING })
  note(`${who(alice)} creates the group; a.example is its hub and puts everything in order`)
  await group.add(bob.user)
  note(`${path(alice, away.domain)}: a KeyPackage of bob, please; then a Commit adds him`)
  await bob.until('the Welcome', () => bob.groups.size === 1)
  note(`a.example → b.example → ${who(bob)}: the Welcome; he has joined at epoch ${bob.group(groupId).epoch}`)
  return group
}

async function chat(story: Story, { alice, bob }: Cast): Promise<void> {
  chapter('Chat: one log, ordered at a.example, followed at b.example')
  await say(story, alice, 'Hello over there', [bob])
  await say(story, bob, 'Hello from another provider', [alice])
}

async function bobAddsCarol(story: Story, { alice, bob, carol }: Cast): Promise<void> {
  chapter('Bob, who is not at the hub, adds Carol, who is')
  const own = bob.group(story.groupId)
  await own.add(carol.user)
  note(`${path(bob, story.home.domain)}: a KeyPackage of carol, please; then a Commit adds her: epoch ${own.epoch}`)
  await carol.until('the Welcome', () => carol.groups.size === 1)
  await alice.until('the Commit', () => alice.group(story.groupId).epoch === own.epoch)
  note(`${who(carol)} joins by its Welcome at epoch ${carol.group(story.groupId).epoch}`)
  await say(story, carol, 'Thanks for having me', [alice, bob])
}

async function secondDevice(story: Story, { alice, bob, carol, laptop }: Cast): Promise<void> {
  chapter('A second device of Bob joins by itself, while nobody else need be online')
  await bob.device.enrol(laptop.device)
  note(`${who(bob)} vouches for ${who(laptop)} at b.example`)
  const own = await laptop.joinExternally({ groupId: story.groupId, mode: 'public', suite: 1, joinCode: JOINING.join_code })
  laptop.connect()
  note(`${path(laptop, story.home.domain)}: GroupInfo, please; then an external Commit: epoch ${own.epoch}`)
  await bob.until('the Commit', () => bob.group(story.groupId).epoch === own.epoch)
  await say(story, laptop, 'I can read this on a large screen now', [alice, carol, bob])
}

async function removal(story: Story, group: Group, { alice, carol, bob, laptop }: Cast): Promise<void> {
  chapter('A removal across providers')
  await carol.group(story.groupId).remove(laptop.uri)
  note(`${who(carol)} commits the Remove of ${who(laptop)}; a.example tells b.example`)
  await gone(laptop, story)
  await alice.until('the Commit', () => !group.members.includes(laptop.uri))
  note(`${who(laptop)} has read up to that Commit, and is out`)
  await say(story, alice, 'Only phones from here on', [carol, bob])
}

/** With its last member out, a provider hears no more of the group. */
async function farewell(story: Story, group: Group, { alice, carol, bob }: Cast): Promise<void> {
  chapter('The last member at b.example is removed: its provider hears no more of the group')
  await group.remove(bob.uri)
  note(`${who(alice)} commits the Remove of ${who(bob)}`)
  await gone(bob, story)
  const before = await lookInto(story.away, story.texts)
  await say(story, alice, 'We are among ourselves', [carol])
  await stored(story)
  const after = await lookInto(story.away, story.texts)
  if (after.messages !== before.messages) throw new Error('b.example has stored what was said after its last member was out')
}

/** What is in both databases. @throws if one holds anything that was said, as it was typed */
async function stored({ home, away, texts }: Story): Promise<void> {
  chapter(`What each provider has stored of ${texts.length} messages`)
  for (const provider of [home, away]) {
    const { commits, messages, members, readable } = await lookInto(provider, texts)
    if (readable > 0) throw new Error(`${provider.domain} holds a message that it could read`)
    note(`${provider.domain}  ${commits} Commits, ${messages} messages as ciphertext, ${readable} of them readable to it`)
    note(`           knows as members: ${members.map(short).join(', ') || 'nobody'}`)
  }
}

/** Sends, waits until all the others have decrypted it, and says which way it went. */
async function say({ groupId, texts, home }: Story, sender: Client, text: string, readers: readonly Client[]): Promise<void> {
  const accepted = await sender.group(groupId).send(text)
  texts.push(text)
  for (const client of [sender, ...readers])
    await client.until(text, () => client.group(groupId).record.messages.some((one) => one.text === text && one.from === sender.uri))
  note(`seq ${accepted.seq}  ${path(sender, home.domain)}: "${text}"`)
  for (const reader of readers) note(`       ${backPath(home.domain, reader)}: decrypted`)
}

function gone(client: Client, { groupId }: Story): Promise<void> {
  return client.until('its removal', () => client.group(groupId).record.standing === 'removed')
}

/** `mimi://b.example/d/bob-1a2b3c/phone` becomes `bob-1a2b3c/phone@b.example`. */
function short(uri: string): string {
  const [, domain = '', device = ''] = /^mimi:\/\/([^/]+)\/d\/(.+)$/.exec(uri) ?? []
  return `${device}@${domain}`
}

const who = (client: Client): string => short(client.uri)
const providerOf = (client: Client): string => new URL(client.uri.replace(/^mimi:/, 'http:')).host

/** From a device over its own provider to another one. */
function path(from: Client, to: string): string {
  const own = providerOf(from)
  return [who(from), own, ...(own === to ? [] : [to])].join(' → ')
}

function backPath(from: string, to: Client): string {
  const own = providerOf(to)
  return [from, ...(own === from ? [] : [own]), who(to)].join(' → ')
}

process.stdout.write('Starting two providers, each with a PostgreSQL of its own, in a temporary folder …\n')
const federation = await startProviders(['a.example', 'b.example'])
try {
  const [home, away] = federation.providers
  if (!home || !away) throw new Error('Two providers were asked for')
  for (const { domain, url } of [home, away]) process.stdout.write(`${domain} listens at ${url}\n`)
  await demo(home, away)
} finally {
  await federation.stop()
}
process.stdout.write('\nBoth providers have stopped, and their data is gone.\n')
