import { expect } from '@jest/globals'
import type { Pool } from 'pg'
import { ServerProblem } from '../../../examples/client/http.js'
import { agreeToPolicy } from '../../../examples/client/policy.js'
import type { Mode } from '../../../src/groups/authority/table.js'
import { draft } from '../../groups/group-fixture.js'
import { ROUTES } from '../../isolation/costs/routes.js'
import type { TestServer } from '../../support/server.js'
import { Choice, compatible } from './choice.js'
import { Dice } from './dice.js'
import { everybodyGoesOn, expectOneHistory } from './ending.js'
import { revokeOne, runErrand } from './errands.js'
import type { GroupModel } from './group-model.js'
import { leaveOutUnlawful } from './hidden.js'
import { agrees, moments, said, type Effect } from './judge.js'
import { asksForNothing, mischief } from './mischief.js'
import { Unsent, type Move, type Scene } from './move.js'
import { MOVES } from './moves.js'
import { ownGroup, Players, type Player } from './players.js'
import type { Room } from './room.js'
import { Rooms } from './rooms.js'

const HONEST = ['alice', 'bob', 'carol', 'alice/laptop', 'bob/laptop', 'carol/laptop']
const HOSTILE = ['mallory', 'trudy', 'mallory/laptop']
/** Groups that take entries, at least. */
const OPEN_ROOMS = 3
/** How often in a step a group is left alone and another one is begun. */
const TURNOVER = 0.03
/** What a step is, and how often; else one move. */
const STEPS = { moves: 60, burst: 20, mischief: 13, errand: 4, uprising: 2, time: 0.7, revocation: 0.3 } as const

const ROUTES_OF_GROUPS = Object.keys(ROUTES).filter((route) => /^[A-Z]+ \/v1\/(groups|rooms|me\/usage|key-packages\/claims)/u.test(route))

interface Answered {
  move: Move
  answer: string
}

/** Honest and hostile devices that ask two nodes for everything at random, and an oracle that knows what the page says. */
export class Campaign implements Scene {
  readonly dice: Dice
  readonly choice: Choice
  readonly crew: Players
  readonly #rooms: Rooms
  readonly #pool: Pool
  #errands = 0
  step = 0

  constructor(
    nodes: readonly TestServer[],
    readonly mode: Mode,
    readonly seed: number,
  ) {
    this.dice = new Dice(seed)
    this.#pool = nodes[0]!.pool
    this.crew = new Players(nodes, this.dice, (group) => this.#rooms.look(group))
    this.#rooms = new Rooms(this.crew, this.dice, this.#pool)
    this.choice = new Choice(this)
  }

  get players(): readonly Player[] {
    return this.crew.all
  }
  get rooms(): readonly Room[] {
    return this.#rooms.all
  }

  async prepare(): Promise<void> {
    for (const name of HONEST) await this.crew.enrol(name, false)
    for (const name of HOSTILE) await this.crew.enrol(name, true)
  }

  /** Some steps, and more until everything was met; at most `most`. */
  async run(steps: number, most: number): Promise<void> {
    for (this.step = 0; this.step < steps || (this.step < most && this.missing().length > 0); this.step++) {
      await this.#tidy()
      await this.#act()
    }
  }

  /** What was never met, of the page and of the routes about groups. */
  missing(): string[] {
    return [...this.choice.missing(), ...ROUTES_OF_GROUPS.filter((route) => !this.crew.routes.has(route))]
  }

  async #act(): Promise<void> {
    switch (this.dice.weighted(STEPS)) {
      case 'burst':
        return this.#burst(Array.from({ length: 2 + Math.floor(this.dice.next() * 3) }, () => this.choice.next()))
      case 'mischief':
        return this.#mischief()
      case 'errand':
        return runErrand(this, this.#errands++)
      case 'uprising':
        return this.#uprising()
      case 'time':
        return this.#rooms.timePasses()
      case 'revocation':
        return revokeOne(this, this.crew, this.#rooms, this.#pool)
      case 'moves':
        return this.#burst([this.choice.next()])
    }
  }

  async end(): Promise<void> {
    for (const room of this.#rooms.open) await this.#retire(room)
  }

  /** Nobody is stuck in the group, and it is left alone from here on. */
  async #retire(room: Room): Promise<void> {
    await this.#rooms.observe(room)
    await everybodyGoesOn(this.crew, room)
    await this.#rooms.observe(room)
    await expectOneHistory(this.crew, room, this.#pool)
    this.#rooms.forget(room)
  }

  succeed(old: Room, id: Uint8Array, by: Player): void {
    this.#rooms.succeed(old, id, by)
  }

  kept(room: Room, kind: 'c' | 'p' | 'a'): Promise<{ seq: number; bytes: Uint8Array }[]> {
    return this.#rooms.kept(room, kind)
  }

  /** With what a hostile member has kept for later. */
  async #mischief(): Promise<void> {
    const room = this.dice.pick(this.#rooms.open)
    const thief = this.players.find((one) => one.hostile && room && ownGroup(one, room.id))
    const group = room && thief && ownGroup(thief, room.id)
    // One that waits for its own Remove can make no Commit.
    if (group && room.model.of(group.device.client).going === undefined && this.dice.chance(0.3))
      room.stash = await draft(group).then(
        ({ bundle }) => ({ epoch: group.epoch, bundle }),
        () => undefined,
      )
    await this.#burst([mischief(this)])
    const asked = asksForNothing(this, this.dice.pick(this.players)!)
    await expect(asked).rejects.toMatchObject({ status: 404, kind: 'not-found' })
  }

  /** New groups for those that have ended, or were asked for everything long enough. */
  async #tidy(): Promise<void> {
    const [oldest] = this.#rooms.open
    if (oldest && this.dice.chance(TURNOVER)) await this.#retire(oldest)
    while (this.#rooms.open.length < OPEN_ROOMS) {
      // Of hostile users a third, or more as long as they have had too few rights.
      const hostile = this.dice.chance(this.choice.missing().some((cell) => cell.endsWith('hostile yes')) ? 0.5 : 0.3)
      await this.#rooms.begin(this.mode, this.dice.pick(this.players.filter((one) => one.hostile === hostile))!)
    }
    this.#rooms.forgetClosed()
  }

  /** All who can report a Commit do; then one of them who is no admin resets the group. */
  async #uprising(): Promise<void> {
    const room = this.dice.pick(this.#rooms.open)
    if (!room) return
    for (const by of this.players) if (room.model.isMember(by.client.uri)) await this.#burst([MOVES.report(this, by, room)])
    const by = this.dice.pick(this.players.filter(({ client }) => room.model.isWitness(client.user)))
    if (by) await this.#burst([MOVES['reset-by-reports'](this, by, room)])
  }

  async #burst(chosen: readonly (Move | undefined)[]): Promise<void> {
    const moves = compatible(chosen.filter((move) => move !== undefined))
    for (const { by, room } of moves) {
      // Whom others have added has its Welcome first; else one can be late.
      const invited = room.model.isMember(by.client.uri) && !ownGroup(by, room.id)
      if (invited || this.dice.chance(0.85)) await this.crew.sync(by)
      const own = ownGroup(by, room.id)
      if (own) {
        agreeToPolicy(own, room.model.policy)
        leaveOutUnlawful(room.model, own)
      }
      this.crew.roam(by.client)
    }
    const answered = await Promise.all(moves.map(async (move): Promise<Answered> => ({ move, answer: await answerOf(move) })))
    for (const room of new Set(moves.map((move) => move.room))) {
      const here = answered.filter(({ move }) => move.room === room)
      await this.#settle(room, here)
    }
  }

  /** Compares the answers with the page, and takes what was accepted into the model. */
  async #settle(room: Room, answered: readonly Answered[]): Promise<void> {
    const before = room.model.clone()
    const effects = answered.map(({ move, answer }): Effect | undefined => (answer === 'yes' ? (model) => move.effect?.(model) : undefined))
    for (const effect of effects) effect?.(room.model)
    const deltas = await this.#rooms.observe(room)
    for (const [index, answer] of answered.entries()) {
      const others = effects.flatMap((effect, other) => (effect && other !== index ? [effect] : []))
      this.#judge(answer, answered.length === 1 ? [before] : moments(before, deltas, others))
    }
    for (const { move, answer } of answered) if (answer === 'yes') move.accepted?.()
    await this.#checkPolicy(room)
  }

  /** @param models the group as it may have been; the first is the one before */
  #judge({ move, answer }: Answered, models: readonly GroupModel[]): void {
    const words = said(move, models)
    const line = `${this.step}: ${move.by.hostile ? 'hostile' : 'honest'} ${move.by.client.uri} ${move.name}: ${answer}`
    move.room.history.push(`${line} (page: ${[...words].join(' or ')})`)
    if (answer.startsWith('unsent')) return
    if (!agrees(answer, words, move, models)) throw this.disagreement(move.room, `${line}, but the page says ${[...words].join(' or ')}`)
    if (!words.has(answer) || move.spoilt) return
    for (const row of [move.row(models[0] ?? move.room.model)].flat()) this.choice.meet(row, move.by, answer)
  }

  disagreement(room: Room, what: string): Error {
    const seed = `CAMPAIGN_SEED=${this.seed}, ${this.mode} group ${room.path}`
    return new Error([what, seed, room.model.describe(), 'What happened to it:', ...room.history.slice(-40)].join('\n'))
  }

  /** The server's list of admins is the model's. */
  async #checkPolicy(room: Room): Promise<void> {
    const asker = room.model.deleted ? undefined : this.players.find(({ client }) => room.model.isMember(client.uri))
    if (!asker) return
    const { admins, ...policy } = await asker.client.device.http.get<{ admins: string[]; external_join: string }>(`${room.path}/policy`)
    if (!room.model.areAdmins(admins)) throw this.disagreement(room, `The server's admins are ${admins.join()}`)
    if (policy.external_join === room.model.policy.external_join) return
    throw this.disagreement(room, `The server's policy is ${JSON.stringify(policy)}`)
  }
}

async function answerOf(move: Move): Promise<string> {
  try {
    await move.run()
    return 'yes'
  } catch (error) {
    if (error instanceof ServerProblem) {
      move.room.history.push(`  ${move.name}: ${error.message} ${JSON.stringify(error.document['rule'])}`)
      return error.kind
    }
    if (error instanceof Unsent) return `unsent: ${error.message}`
    if (error instanceof Error) return `unsent: client: ${error.message}`
    throw error
  }
}
