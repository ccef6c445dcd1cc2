import { ACTIONS, type Action } from '../../../src/groups/authority/actions.js'
import { ACTORS, everyPolicy, type Actor, type Mode } from '../../../src/groups/authority/table.js'
import { pageSays } from '../page-fixture.js'
import { said } from './judge.js'
import type { Move, Scene } from './move.js'
import { MOVES, UNTRIED } from './moves.js'
import { ownGroup, type Player } from './players.js'
import type { Room } from './room.js'

/** What ts-mls cannot make so that others can read it: the tests of the table make it. */
const NOT_MADE: ReadonlySet<Action> = new Set(['commit-extensions', 'propose-extensions'])
const ACTION_NAMES = (Object.keys(ACTIONS) as Action[]).filter((action) => !NOT_MADE.has(action))
/** What ends a group, or a membership, is rarer. */
const RARE: Partial<Record<Action, number>> = {
  'commit-reinit': 0.1,
  'propose-reinit': 0.1,
  reset: 0.2,
  delete: 0.1,
  leave: 0.4,
  ban: 0.5,
  'create-branch': 0.3,
}
const WEIGHTS = Object.fromEntries(ACTION_NAMES.map((action) => [action, RARE[action] ?? 1])) as Record<Action, number>
/** What has to be done before something can be met, if it cannot be met as things stand. */
const SETUPS: Partial<Record<Action, Action>> = {
  'commit-remove-leaving': 'leave',
  'commit-remove-admin': 'make-admin',
  'propose-remove-admin': 'make-admin',
  'commit-remove-own': 'commit-add-own',
  'propose-remove-own': 'commit-add-own',
  'reset-by-reports': 'report',
  'create-successor': 'reset',
  'undo-reset': 'reset',
  unban: 'ban',
}

/** What would take several people to come about. */
const RARELY_MET: ReadonlySet<string> = new Set([
  'reset-by-reports hostile outside',
  'create-successor hostile policy',
  'commit-add-own hostile policy',
  'commit-remove-leaving hostile group-frozen',
])

/** Chooses what is asked next, and counts what has been. */
export class Choice {
  /** `commit-add hostile policy`: the action, who asked, and what the answer was. */
  readonly #met = new Set<string>()
  readonly #cells: readonly string[]

  constructor(private readonly scene: Scene & { mode: Mode }) {
    this.#cells = ACTION_NAMES.filter((action) => !UNTRIED.includes(action))
      .flatMap((action) => [
        ...['yes', 'refused'].map((outcome) => `${action} honest ${outcome}`),
        ...[...wordsOf(action, scene.mode)].map((outcome) => `${action} hostile ${outcome}`),
      ])
      .filter((cell) => !RARELY_MET.has(cell))
  }

  meet(action: Action, by: Player, word: string): void {
    this.#met.add(`${action} ${by.hostile ? 'hostile' : 'honest'} ${outcomeFor(by, word)}`)
  }

  missing(): string[] {
    return this.#cells.filter((cell) => !this.#met.has(cell))
  }

  /** Mostly something that has not been met yet, or what has to be done before. */
  next(): Move | undefined {
    const { dice } = this.scene
    const [cell = ''] = dice.chance(0.8) ? dice.shuffled(this.missing()) : []
    const [action, who, outcome] = cell.split(' ') as [Action | '', string?, string?]
    if (action === '') return this.#find(dice.weighted(WEIGHTS))
    const setup = SETUPS[action]
    return this.#find(action, who, outcome) ?? (setup && (this.#find(setup, who, 'yes') ?? this.#find(setup, undefined, 'yes')))
  }

  #find(action: Action, who?: string, outcome?: string): Move | undefined {
    const { dice, players, rooms } = this.scene
    const wanted = (by: Player, words: ReadonlySet<string>) =>
      outcome === undefined || [...words].some((word) => word === outcome || outcomeFor(by, word) === outcome)
    for (const room of dice.shuffled(rooms))
      for (const by of dice.shuffled(players)) {
        if ((who !== undefined && by.hostile !== (who === 'hostile')) || !wouldTry(by, room, action)) continue
        const move = MOVES[action](this.scene, by, room)
        if (move && wanted(by, said(move, [room.model]))) return move
      }
    return undefined
  }
}

/** Honest people are refused or not; of hostile ones it is counted why. */
function outcomeFor({ hostile }: Player, word: string): string {
  if (word === 'yes') return word
  if (!hostile) return 'refused'
  return word === 'not-found' || word === 'not-a-member' ? 'outside' : word
}

/** All that the page says of an action, to anybody, that comes about often. */
function wordsOf(action: Action, mode: Mode): Set<string> {
  const said = (Object.keys(ACTORS) as Actor[]).flatMap((actor) =>
    (['open', 'frozen'] as const).flatMap((state) =>
      everyPolicy().map((choices) => pageSays(ACTIONS[action].title, actor, mode, state, choices)),
    ),
  )
  const words = said.map((word) => (word === 'not-found' || word === 'not-a-member' ? 'outside' : word))
  return new Set(words.filter((word) => ['yes', 'outside', 'forbidden', 'policy', 'group-frozen'].includes(word)))
}

/** Honest people do not act with the bytes of others; and a client library makes nothing any more for a group that was reinitialized. */
function wouldTry(by: Player, room: Room, action: Action): boolean {
  if (!/^(commit|propose|post|publish|create-branch)/u.test(action) || action.endsWith('join')) return true
  const own = ownGroup(by, room.id)
  return own ? own.record.state.groupActiveState.kind === 'active' : by.hostile
}

/** Two that change more than one group do not happen beside anything else, but beside each other. */
export function compatible(moves: readonly Move[]): Move[] {
  const [first] = moves.filter(({ alone }) => alone)
  if (!first) return [...moves]
  return first.name === 'create-successor' ? moves.filter(({ name, room }) => name === first.name && room === first.room) : [first]
}
