import type { Dice } from './dice.js'
import { ACTIONS, type Action } from '../../../src/groups/authority/actions.js'
import type { Actor, Choices, Mode, State } from '../../../src/groups/authority/table.js'
import { pageSays } from '../page-fixture.js'

/** How a device stands with a group, as far as accepted answers and what members read tell it. */
export interface Standing {
  in: boolean
  /** It has asked to leave, and its leaf is still there. */
  leaving: boolean
  /** A Remove is due, for this reason. */
  going: 'leave' | 'revoke' | undefined
  ever: boolean
  /** How it got out last; `either` where members cannot tell. */
  out: 'left' | 'removed' | 'either' | undefined
  outSeq: number
  /** Of the entry that brought it in. */
  since: number
}

const NEVER: Standing = { in: false, leaving: false, going: undefined, ever: false, out: undefined, outSeq: 0, since: 0 }
/** What a stranger may want as well. */
const JOINS: ReadonlySet<Action> = new Set(['read-group-info', 'commit-join', 'propose-join'])

/** `mimi://localhost/d/alice/phone` is a device of `mimi://localhost/u/alice`. */
const issuers = new Map<string, string>()

/** That a device has certified another one of its user. */
export function certifies(issuer: string, device: string): void {
  issuers.set(device, issuer)
}

/** The devices from which a device's certificate hangs, the nearest first. */
function issuersOf(device: string): string[] {
  const issuer = issuers.get(device)
  return issuer === undefined ? [] : [issuer, ...issuersOf(issuer)]
}

export function userOf(device: string): string {
  return device.replace(/\/d\/([^/]+)\/.*$/u, '/u/$1')
}

/** One group as the oracle knows it. Rights are not known here: they are looked up in docs/authority.md. */
export class GroupModel {
  frozen: 'reset' | 'reinit' | undefined
  /** The time for which the place of a frozen group is reserved has not passed. */
  reserved = false
  /** Another group has taken its place. */
  succeeded = false
  /** The user who reset it by reports. */
  resetter: string | undefined
  deleted = false
  /** Users, and single devices, who were thrown out of the group before it. */
  outcasts: ReadonlySet<string> = new Set()
  readonly admins = new Set<string>()
  /** Users to one of whom rights have fallen. */
  heirs: ReadonlySet<string> = new Set()
  readonly banned = new Set<string>()
  /** By device. */
  readonly standings = new Map<string, Standing>()
  /** Who reported a Commit, by its seq. */
  readonly reports = new Map<number, Set<string>>()
  /** The users who were in when a Commit was accepted, by its seq. */
  readonly witnesses = new Map<number, ReadonlySet<string>>()

  constructor(
    readonly mode: Mode,
    public policy: { external_join: 'none' | 'same-user' | 'code' | 'open'; add_members: Who; remove_members: Who },
    readonly reportsToReset = 2,
  ) {}

  clone(): GroupModel {
    const copy = new GroupModel(this.mode, { ...this.policy }, this.reportsToReset)
    for (const user of this.admins) copy.admins.add(user)
    for (const user of this.banned) copy.banned.add(user)
    for (const [device, standing] of this.standings) copy.standings.set(device, { ...standing })
    for (const [seq, users] of this.reports) copy.reports.set(seq, new Set(users))
    for (const [seq, users] of this.witnesses) copy.witnesses.set(seq, users)
    const { frozen, reserved, succeeded, resetter, deleted, outcasts, heirs } = this
    return Object.assign(copy, { frozen, reserved, succeeded, resetter, deleted, outcasts, heirs })
  }

  /** As it is when a device has just created it. */
  found(device: string): void {
    this.change(device, { in: true, ever: true })
    this.admins.add(userOf(device))
  }

  /** The group that takes the place of this one. Its creator gets no rights by it. */
  successor(creator: string): GroupModel {
    const next = new GroupModel(this.mode, { ...this.policy }, this.reportsToReset)
    next.change(creator, { in: true, ever: true })
    for (const user of this.admins) next.admins.add(user)
    for (const user of this.banned) next.banned.add(user)
    const former = new Set([...this.standings.keys()].map(userOf))
    const users = [...former].filter((user) => this.#formerColumns(user).includes('former member, removed'))
    const devices = [...this.standings].filter(([, one]) => !one.in && one.out === 'removed').map(([device]) => device)
    const before = [...this.outcasts].filter((one) => !this.of(one).ever)
    next.outcasts = new Set([...before, ...users, ...devices].filter((one) => !this.present(one)))
    return next
  }

  /** For people. */
  describe(): string {
    const { policy, frozen, reserved, succeeded, resetter, deleted } = this
    const [admins, banned, outcasts] = [[...this.admins], [...this.banned], [...this.outcasts]]
    const facts = { policy, frozen, reserved, succeeded, resetter, deleted, admins, banned, outcasts }
    const standings = [...this.standings].map(([device, standing]) => `  ${device} ${JSON.stringify(standing)}`)
    return [JSON.stringify(facts), ...standings].join('\n')
  }

  of(device: string): Standing {
    return this.standings.get(device) ?? NEVER
  }

  change(device: string, change: Partial<Standing>): void {
    this.standings.set(device, { ...this.of(device), ...change })
  }

  isMember(device: string): boolean {
    const { in: inside, leaving } = this.of(device)
    return inside && !leaving
  }

  /** Whether a device of the user has a leaf. */
  present(user: string): boolean {
    return this.#devicesOf(user).some((one) => one.in)
  }

  /** Each thing that the page says here; several where it cannot be known how the caller stands. */
  says(action: Action, device: string, code: boolean): ReadonlySet<string> {
    if (this.deleted) return new Set(['group-deleted'])
    const choices = { ...this.policy, external_join: this.#externalJoin(code) }
    const columns = this.#columns(action, device)
    const words = columns.map((actor) => pageSays(ACTIONS[action].title, actor, this.mode, this.#state(), choices))
    return new Set(words.map((word) => this.#ofSuccessor(action, device, word)))
  }

  #state(): State {
    if (this.frozen === undefined) return 'open'
    if (this.frozen === 'reinit') return 'reinitialized'
    return this.reserved ? 'frozen' : 'frozen for longer'
  }

  /** What the page says in words: for whom a place is reserved, and that its states are those of groups without a successor. */
  #ofSuccessor(action: Action, device: string, word: string): string {
    const reserved = action === 'create-successor' && word === 'successor-reserved' && this.resetter !== userOf(device)
    if (action === 'create-successor' && (word === 'yes' || word === 'successor-reserved'))
      return this.succeeded ? 'successor-taken' : reserved ? word : 'yes'
    return action === 'reset' && this.succeeded && word === 'yes' ? 'group-frozen' : word
  }

  #externalJoin(code: boolean): Choices['external_join'] {
    const { external_join } = this.policy
    if (external_join !== 'code') return external_join
    return code ? 'right code' : 'wrong code'
  }

  #columns(action: Action, device: string): Actor[] {
    const user = userOf(device)
    const { in: inside, leaving, ever } = this.of(device)
    const banned = this.banned.has(user)
    if (inside && !leaving) return [this.admins.has(user) ? 'admin' : banned ? 'banned member' : 'member']
    const admin = this.admins.has(user)
    const known = ever || this.#devicesOf(user).length > 0 || admin || this.outcasts.has(user)
    // One device that was thrown out of the group before, of a user who was not: a stranger that is kept out.
    if (!known) return [banned || this.outcasts.has(device) ? 'banned stranger' : 'stranger']
    if (JOINS.has(action)) return banned ? ['former member, removed and banned'] : this.#joinColumns(device, user)
    if (leaving && (!admin || action === 'leave')) return ['member that is leaving']
    if (ever && (!admin || action === 'read-log')) return ['former member, left']
    return [admin ? 'admin’s other device' : 'member’s other device']
  }

  #joinColumns(device: string, user: string): Actor[] {
    const { in: inside, out } = this.of(device)
    if (inside) return ['member that is leaving']
    const here = this.present(user)
    const removed: Actor = here ? 'member’s removed device' : 'former member, removed'
    if (out === 'removed' || this.outcasts.has(device)) return [removed]
    const others: Actor[] = here ? this.#siblingColumns(device) : this.#formerColumns(user)
    return out === 'either' ? [removed, ...others] : others
  }

  /** Whether a device that is in has certified it, also over others; one that is leaving may be gone by now. */
  #siblingColumns(device: string): Actor[] {
    const issuers = issuersOf(device).map((issuer) => this.of(issuer))
    if (issuers.some(({ in: inside, leaving }) => inside && !leaving)) return ['member’s certified device']
    return issuers.some(({ in: inside }) => inside) ? ['member’s certified device', 'member’s other device'] : ['member’s other device']
  }

  /** By how the user's last device got out. */
  #formerColumns(user: string): Actor[] {
    const devices = this.#devicesOf(user)
    const last = Math.max(0, ...devices.map((one) => one.outSeq))
    const outs = new Set(devices.filter((one) => one.outSeq === last).map((one) => one.out))
    if (devices.length === 0) return [this.outcasts.has(user) ? 'former member, removed' : 'former member, left']
    if (outs.has('removed')) return ['former member, removed']
    return outs.has('either') ? ['former member, removed', 'former member, left'] : ['former member, left']
  }

  #devicesOf(user: string): Standing[] {
    return [...this.standings].filter(([device, { ever }]) => ever && userOf(device) === user).map(([, standing]) => standing)
  }

  /** Rights end with the user's last device in the group, and fall to the user who is in for longest: to one of these, where several are. */
  settleAdmins(): void {
    for (const user of this.admins) if (this.#devicesOf(user).length > 0 && !this.present(user)) this.admins.delete(user)
    if (this.admins.size > 0) return
    const candidates = [...this.standings].filter(([device, one]) => one.in && one.going === undefined && !this.banned.has(userOf(device)))
    const first = Math.min(...candidates.map(([, { since }]) => since))
    this.heirs = new Set(candidates.filter(([, { since }]) => since === first).map(([device]) => userOf(device)))
    for (const user of this.heirs) this.admins.add(user)
  }

  /** @param users the admins by the server's word, which settles who of the heirs it is */
  areAdmins(users: readonly string[]): boolean {
    const chosen = users.filter((user) => this.heirs.has(user))
    if (chosen.length === 1) for (const user of this.heirs) if (user !== chosen[0]) this.admins.delete(user)
    this.heirs = new Set()
    return users.length === this.admins.size && users.every((user) => this.admins.has(user))
  }

  /**
   * Whether the user is one of enough who reported a Commit: as many as the policy asks for, and more than half of those who were in when it was
   * accepted. Only those who have been in ever since count.
   */
  isWitness(user: string): boolean {
    const counts = (who: string, seq: number) => this.#devicesOf(who).some((one) => one.in && one.since < seq)
    return [...this.reports].some(([seq, users]) => {
      const count = [...users].filter((who) => counts(who, seq)).length
      const enough = count >= this.reportsToReset && count * 2 > (this.witnesses.get(seq)?.size ?? Infinity)
      return enough && users.has(user) && counts(user, seq)
    })
  }
}

type Who = 'members' | 'admins'

export function anyPolicy(dice: Dice): GroupModel['policy'] {
  return {
    external_join: dice.pick(['none', 'same-user', 'code', 'open'] as const)!,
    add_members: dice.pick(['members', 'members', 'admins'] as const)!,
    remove_members: dice.pick(['members', 'admins'] as const)!,
  }
}
