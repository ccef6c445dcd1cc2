import type { Mode } from '../../examples/client/store.js'
import { type Participant, type StackName } from './participant.js'
import { Room } from './room.js'

export interface Campaign {
  readonly mode: Mode
  readonly suite: number
  readonly stacks: readonly StackName[]
  readonly seed: number
  readonly epochs: number
}

export interface CampaignResult {
  readonly epochs: number
  /** How often each kind of step was taken. */
  readonly steps: ReadonlyMap<string, number>
}

/** Never fewer members: someone has to commit what others want. */
const FEWEST = 3

/**
 * Random steps by two devices of each stack in one group; after each of them all members are in one epoch with one authenticator.
 * @throws at the first step after which they are not, with the last steps and the seed
 */
export async function runCampaign(url: string, campaign: Campaign): Promise<CampaignResult> {
  const room = new Room(url, campaign.mode, campaign.suite)
  const history: string[] = []
  const steps = new Map<string, number>()
  const random = new Random(campaign.seed)
  try {
    const devices: Participant[] = []
    for (const stack of [...campaign.stacks, ...campaign.stacks]) devices.push(await room.device(stack, 60))
    const [founder, second, third] = random.shuffled(devices) as [Participant, Participant, Participant]
    await room.found(founder)
    await room.add(founder, second, third)
    let epoch = 1
    while (epoch < campaign.epochs) {
      const { name, run } = pick(room, devices, random, await admins(room))
      history.push(name)
      const [kind = name] = name.split(':')
      steps.set(kind, (steps.get(kind) ?? 0) + 1)
      await run()
      epoch = (await room.agree()).epoch
    }
    return { epochs: epoch, steps }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`seed ${campaign.seed}, step ${history.length}: ${reason}\n  ${history.slice(-12).join('\n  ')}`, { cause: error })
  } finally {
    await room.close()
  }
}

interface Step {
  readonly name: string
  readonly run: () => Promise<unknown>
}

/** One step of those that are possible now. */
function pick(room: Room, devices: readonly Participant[], random: Random, admin: (one: Participant) => boolean): Step {
  const present = random.shuffled([...room.present])
  const absent = random.shuffled(devices.filter((device) => !room.present.has(device)))
  return random.one([...stepsOfMembers(room, present), ...arrivals(room, present, absent), ...departures(room, present, admin)])
}

function stepsOfMembers(room: Room, present: readonly Participant[]): Step[] {
  const [one, two] = present as [Participant, Participant]
  const possible: Step[] = [
    { name: `update: ${one.client}`, run: () => one.update(room.groupId) },
    { name: `say: ${one.client}`, run: () => room.say(one, 'a word') },
    { name: `race: ${one.client} ${two.client}`, run: () => Promise.all([one.update(room.groupId), two.update(room.groupId)]) },
    { name: `resync: ${one.client}`, run: () => room.joinExternally(one, { resync: true }) },
  ]
  const proposer = present.find(({ stack }) => stack !== 'ts-mls')
  const committer = present.find((device) => device !== proposer)
  if (proposer && committer)
    possible.push({
      name: `propose update: ${proposer.client}, committed by ${committer.client}`,
      run: async () => {
        await proposer.proposeUpdate(room.groupId)
        await room.agree()
        await committer.update(room.groupId)
      },
    })
  return possible
}

function arrivals(room: Room, [one]: readonly Participant[], [out, other]: readonly Participant[]): Step[] {
  if (!one || !out) return []
  const possible: Step[] = [{ name: `add: ${one.client} adds ${out.client}`, run: () => room.add(one, out) }]
  if (!room.outcasts.has(out)) possible.push({ name: `join externally: ${out.client}`, run: () => room.joinExternally(out) })
  if (other) possible.push({ name: `add: ${one.client} adds ${out.client} ${other.client}`, run: () => room.add(one, out, other) })
  return possible
}

/** Rights fall to another member when the last admin leaves, so it may be anybody. */
async function admins(room: Room): Promise<(one: Participant) => boolean> {
  const [first] = room.present
  const named = new Set(await first?.admins(room.groupId))
  return ({ user }) => named.has(user)
}

function departures(room: Room, present: readonly Participant[], admin: (one: Participant) => boolean): Step[] {
  if (present.length <= FEWEST) return []
  const [one, two, three] = present as [Participant, Participant, Participant]
  const possible: Step[] = [{ name: `leave: ${two.client}, committed by ${three.client}`, run: () => leave(room, two, three) }]
  // Only admins may remove an admin.
  const mayRemove = (...targets: readonly Participant[]) => admin(one) || !targets.some(admin)
  if (mayRemove(two))
    possible.push(
      { name: `remove: ${one.client} removes ${two.client}`, run: () => room.remove(one, two) },
      {
        name: `propose remove: ${one.client} of ${two.client}, committed by ${three.client}`,
        run: () => removeByReference(room, one, two, three),
      },
    )
  if (present.length > FEWEST + 1 && mayRemove(two, three))
    possible.push({ name: `remove: ${one.client} removes ${two.client} ${three.client}`, run: () => room.remove(one, two, three) })
  return possible
}

async function removeByReference(room: Room, proposer: Participant, target: Participant, committer: Participant): Promise<void> {
  await proposer.proposeRemove(room.groupId, target.client)
  room.outcasts.add(target)
  await goes(room, target, committer)
  await room.out(target)
}

async function leave(room: Room, leaver: Participant, committer: Participant): Promise<void> {
  await leaver.leave(room.groupId)
  // It is sent nothing any more.
  room.present.delete(leaver)
  await goes(room, leaver, committer)
}

async function goes(room: Room, leaver: Participant, committer: Participant): Promise<void> {
  await room.agree()
  room.present.delete(leaver)
  await committer.update(room.groupId)
  await room.agree()
}

/** Mulberry32: the same steps for the same seed. */
class Random {
  #state: number
  constructor(seed: number) {
    this.#state = seed
  }

  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
  }

  one<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T
  }

  shuffled<T>(items: readonly T[]): T[] {
    const left = [...items]
    return items.map(() => left.splice(this.below(left.length), 1)[0] as T)
  }
}
