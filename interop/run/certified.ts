import type { Cast, Operation } from './operations.js'
import { Refused, type Participant } from './participant.js'
import type { Room } from './room.js'
import { RustParticipant } from './rust-participant.js'

// Groups whose members have certificates (docs/identity.md), and what is not let in.

/** After those of every group, in groups with `identities: certified`. */
export const CERTIFIED_OPERATIONS: readonly Operation[] = [
  { name: 'both sides show the same safety number', run: safetyNumbers },
  { name: 'external Commit of a device that a member has certified (same-user)', run: sameUser },
  { name: 'a new head by each', run: renewHeads },
  { name: 'a leaf by a self-made key: the server refuses it, or members remove it before they say anything', run: ghost },
  { name: 'a KeyPackage by a self-made key is not used', run: substituted },
  { name: 'a revoked device is out', run: revoked },
  { name: 'a stack that cannot carry the certificate: where the group does not require it', run: listed },
]

async function safetyNumbers({ room, devices: [a, b, c] }: Cast) {
  await room.agree()
  for (const [one, other] of [
    [a, b],
    [b, c],
    [c, a],
  ] as const) {
    const [here, there] = [await one.safetyNumber(other.user), await other.safetyNumber(one.user)]
    if (here !== there) throw new Error(`${one.client} shows ${here}, ${other.client} ${there}`)
  }
}

async function sameUser({ anotherRoom, stacks, devices: [a, b, c] }: Cast) {
  const room = anotherRoom()
  await room.found(a, { external_join: 'same-user' })
  await room.add(a, b, c)
  for (const [first, stack] of [
    [b, stacks[0]],
    [c, stacks[1]],
  ] as const) {
    const second = await room.secondDevice(stack ?? 'ts-mls', first)
    await room.joinExternally(second)
    await room.say(second, 'certified by a member')
    await second.update(room.groupId)
    await room.agree()
  }
  const stranger = await room.device(stacks[2] ?? 'ts-mls')
  await refusedWith('not-found', stranger.joinExternally(room.groupId, room.mode, {}))
}

async function renewHeads({ room, devices }: Cast) {
  const [a, b, c] = devices
  for (const device of [a, b, c]) await device.renewHead()
  await rustOf(devices).review(room.groupId)
  await room.say(a, 'by a new head')
  for (const { distrusted } of await views(room)) if (distrusted.length > 0) throw new Error(JSON.stringify(distrusted))
}

/**
 * A member adds a leaf in another member's name, with that one's certificate and a key that nobody has certified. The server of a private group
 * does not see it.
 */
async function ghost({ anotherRoom, stacks, devices }: Cast) {
  const room = anotherRoom()
  const [insider, ...others] = [rustOf(devices), ...devices.slice(0, 3).filter((one) => one !== rustOf(devices))] as [
    RustParticipant,
    Participant,
    Participant,
  ]
  await room.found(insider)
  await room.add(insider, ...others)
  const victim = others[0]
  const made = await room.ghost(stacks.find((stack) => stack !== 'ts-mls') ?? 'mls-rs', victim)
  const keyPackage = await made.makeKeyPackage(await insider.certificateOf(room.groupId, victim.client))
  // The server would ask whose KeyPackage a Welcome is for.
  const added = insider.addBy(room.groupId, keyPackage, room.mode === 'public')
  if (room.mode === 'public') {
    const rule = (await refusal(added)).document['rule']
    if (rule !== 'credential-unknown') throw new Error(`The server says ${String(rule)}`)
    return
  }
  await added
  const seq = await insider.head(room.groupId)
  for (const other of others) await other.until(room.groupId, seq)
  for (const other of others) await room.say(other, 'for members')
  for (const view of await views(room)) if (view.members.includes(made.client)) throw new Error('It is still there')
  for (const other of others.filter((one) => one instanceof RustParticipant)) {
    const { distrusted } = await other.view(room.groupId)
    const found = distrusted.find(({ client }) => client === made.client)
    if (!found?.reason.includes('device-certificate-leaf')) throw new Error(`${other.client} saw ${JSON.stringify(distrusted)}`)
  }
}

/** What a server could give out in place of a device's own KeyPackage. */
async function substituted({ room, devices, stacks }: Cast) {
  const member = rustOf(devices)
  const victim = devices[3]
  const made = await room.ghost(stacks.find((stack) => stack !== 'ts-mls') ?? 'mls-rs', victim)
  const keyPackage = await made.makeKeyPackage(await member.certificateOf(room.groupId, member.client))
  const { detail } = await refusal(member.use(room.groupId, made.client, keyPackage))
  if (!detail.includes('device-certificate')) throw new Error(detail)
}

async function revoked({ anotherRoom, stacks, devices }: Cast) {
  const room = anotherRoom()
  const [a, b, c] = devices
  await room.found(a, { external_join: 'same-user' })
  await room.add(a, b, c)
  const second = await room.secondDevice(stacks[2] ?? 'ts-mls', b)
  await room.joinExternally(second)
  await b.revoke(second.client)
  room.present.delete(second)
  const member = rustOf([a, c])
  const { distrusted } = await member.review(room.groupId)
  if (!distrusted.some(({ client }) => client === second.client)) throw new Error(JSON.stringify(distrusted))
  await room.agree()
  await member.update(room.groupId)
  await room.say(member, 'without the revoked one')
}

async function listed({ anotherRoom, stacks, devices: [a, b, c] }: Cast) {
  const room = anotherRoom()
  await room.found(a)
  await room.add(a, b, c)
  const plain = await room.plain(stacks.find((stack) => stack !== 'ts-mls') ?? 'mls-rs')
  if (room.identities === 'required') {
    await refusal(b.add(room.groupId, [plain.user]))
    return
  }
  await room.add(b, plain)
  await room.say(plain, 'without a certificate in the leaf')
  await plain.update(room.groupId)
  await room.agree()
  await room.say(c, 'to all')
  for (const { distrusted } of await views(room)) if (distrusted.length > 0) throw new Error(JSON.stringify(distrusted))
}

const views = (room: Room) => Promise.all([...room.present].map((one) => one.view(room.groupId)))

function rustOf(devices: readonly Participant[]): RustParticipant {
  const found = devices.find((one) => one instanceof RustParticipant)
  if (!found) throw new Refused('unsupported', 'needs a client in Rust')
  return found
}

async function refusal(work: Promise<unknown>): Promise<Refused> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof Refused) return error
  throw error ?? new Error('It was accepted')
}

async function refusedWith(kind: string, work: Promise<unknown>): Promise<void> {
  const refused = await refusal(work)
  if (refused.kind !== kind) throw refused
}
