import { randomUUID } from 'node:crypto'
import type { Pool } from 'pg'
import type { Group } from '../../../examples/client/group.js'
import { ServerProblem } from '../../../examples/client/http.js'
import { toHex, utf8 } from '../../../examples/client/wire.js'
import type { Mode } from '../../../src/groups/authority/table.js'
import type { TestServer } from '../../support/server.js'
import { addOf } from '../scene-fixture.js'
import { Choice, compatible } from './choice.js'
import { Dice } from './dice.js'
import { everybodyGoesOn, expectOneHistory } from './ending.js'
import { GroupModel } from './group-model.js'
import { leaveOutUnlawful } from './hidden.js'
import { agrees, moments, said, type Effect } from './judge.js'
import { Unsent, type Move, type Scene } from './move.js'
import { MOVES } from './moves.js'
import { ownGroup, Players, type Player } from './players.js'
import { Room } from './room.js'

const HONEST = ['alice', 'bob', 'carol', 'alice/laptop', 'bob/laptop', 'carol/laptop']
const HOSTILE = ['mallory', 'trudy', 'mallory/laptop']
/** Groups that take entries, at least. */
const OPEN_ROOMS = 3
/** Closed ones that are still asked for. */
const CLOSED_ROOMS = 3

interface Answered {
  move: Move
  answer: string
}

/** Honest and hostile devices that ask two nodes for everything at random, and an oracle that knows what the page says. */
export class Campaign implements Scene {
  readonly dice: Dice
  readonly rooms: Room[] = []
  readonly choice: Choice
  readonly crew: Players
  readonly #byId = new Map<string, Room>()
  readonly #pool: Pool
  step = 0

  constructor(
    nodes: readonly TestServer[],
    readonly mode: Mode,
    readonly seed: number,
  ) {
    this.dice = new Dice(seed)
    this.#pool = nodes[0]!.pool
    this.crew = new Players(nodes, this.dice, (group) => this.#look(group))
    this.choice = new Choice(this, this.rooms)
  }

  get players(): readonly Player[] {
    return this.crew.all
  }

  async prepare(): Promise<void> {
    for (const name of HONEST) await this.crew.enrol(name, false)
    for (const name of HOSTILE) await this.crew.enrol(name, true)
  }

  /** Some steps, and more until everything was met; at most `most`. */
  async run(steps: number, most = 4 * steps): Promise<void> {
    for (this.step = 0; this.step < steps || (this.step < most && this.choice.missing().length > 0); this.step++) {
      await this.#tidy()
      if (this.dice.chance(0.02)) await this.#uprising()
      else if (this.dice.chance(0.01)) await this.#timePasses()
      else if (this.dice.chance(0.25))
        await this.#burst(Array.from({ length: 2 + Math.floor(this.dice.next() * 3) }, () => this.choice.next()))
      else await this.#burst([this.choice.next()])
    }
  }

  async end(): Promise<void> {
    for (const room of this.#open()) {
      await this.#observe(room)
      await everybodyGoesOn(this.crew, room)
      await this.#observe(room)
      await expectOneHistory(this.crew, room, this.#pool)
    }
  }

  succeed(old: Room, id: Uint8Array, by: Player): void {
    const room = new Room(id, old.model.successor(by.client.uri), old.code)
    old.successor = room
    this.#enter(room)
    this.#lookAt(by, room)
  }

  #open(): Room[] {
    return this.rooms.filter(({ model }) => !model.frozen && !model.deleted)
  }

  #enter(room: Room): void {
    this.rooms.push(room)
    this.#byId.set(toHex(room.id), room)
  }

  #look(group: Group): void {
    if (group.record.standing === 'member') this.#byId.get(toHex(group.record.groupId))?.look(group)
  }

  #lookAt(player: Player, room: Room): void {
    const group = ownGroup(player, room.id)
    if (group) room.look(group)
  }

  /** New groups for those that have ended. */
  async #tidy(): Promise<void> {
    while (this.#open().length < OPEN_ROOMS) await this.#begin()
    const closed = this.rooms.filter((room) => !this.#open().includes(room))
    for (const room of closed.slice(0, Math.max(0, closed.length - CLOSED_ROOMS))) this.rooms.splice(this.rooms.indexOf(room), 1)
  }

  async #begin(): Promise<void> {
    const creator = this.dice.pick(this.players.filter(({ hostile }) => !hostile || this.dice.chance(0.3)))!
    const policy = {
      external_join: this.dice.pick(['none', 'same-user', 'code', 'open'] as const)!,
      add_members: this.dice.pick(['members', 'members', 'admins'] as const)!,
      remove_members: this.dice.pick(['members', 'admins'] as const)!,
    }
    const [groupId, code] = [utf8(randomUUID()), `open sesame ${this.step}`]
    const room = new Room(groupId, new GroupModel(this.mode, policy), code)
    room.model.found(creator.client.uri)
    const asked = { ...policy, reports_to_reset: room.model.reportsToReset, ...(policy.external_join === 'code' && { join_code: code }) }
    const group = await creator.client.createGroup({ groupId, mode: this.mode, policy: asked })
    this.#enter(room)
    this.#look(group)
    const others = this.dice.shuffled(this.players.filter((one) => one !== creator)).slice(0, 4)
    const adds = await Promise.all(others.map(({ client }) => addOf(group, client)))
    await group.commit(() => adds)
    await this.#observe(room)
  }

  /** All who can report a Commit do; then one of them who is no admin resets the group. */
  async #uprising(): Promise<void> {
    const room = this.dice.pick(this.#open())
    if (!room) return
    for (const by of this.players) if (room.model.isMember(by.client.uri)) await this.#burst([MOVES.report(this, by, room)])
    const by = this.dice.pick(this.players.filter(({ client }) => room.model.isWitness(client.user)))
    if (by) await this.#burst([MOVES['reset-by-reports'](this, by, room)])
  }

  /** For which the place of a group that was reset is reserved. */
  async #timePasses(): Promise<void> {
    for (const { id, model } of this.rooms) {
      if (model.frozen !== 'reset') continue
      await this.#pool.query("UPDATE groups SET reserved_until = reserved_until - interval '1 year' WHERE group_id = $1", [id])
      model.reserved = false
    }
  }

  async #burst(chosen: readonly (Move | undefined)[]): Promise<void> {
    const moves = compatible(chosen.filter((move) => move !== undefined))
    for (const { by, room } of moves) {
      // Whom others have added has its Welcome first; else one can be late.
      const invited = room.model.isMember(by.client.uri) && !ownGroup(by, room.id)
      if (invited || this.dice.chance(0.85)) await this.crew.sync(by)
      const own = ownGroup(by, room.id)
      if (own) {
        own.record.externalJoin = room.model.policy.external_join !== 'none'
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
    const deltas = await this.#observe(room)
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
    if (!words.has(answer)) return
    for (const row of [move.row(models[0] ?? move.room.model)].flat()) this.choice.meet(row, move.by, answer === 'yes' ? 'yes' : 'refused')
  }

  disagreement(room: Room, what: string): Error {
    const seed = `CAMPAIGN_SEED=${this.seed}, ${this.mode} group ${room.path}`
    return new Error([what, seed, room.model.describe(), 'What happened to it:', ...room.history.slice(-40)].join('\n'))
  }

  /** Reads what is new in the log by the eyes of the members. */
  async #observe(room: Room): Promise<Effect[]> {
    const rows = await room.news(this.#pool)
    for (const player of this.players) this.#lookAt(player, room)
    for (const player of this.dice.shuffled(this.players)) {
      if (room.knows(rows)) break
      if (!ownGroup(player, room.id)) continue
      await this.crew.sync(player)
      this.#lookAt(player, room)
    }
    const deltas = room.take(rows, this.crew.submissions)
    for (const delta of deltas) delta(room.model)
    return deltas
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
