import { ACTIONS, type Action } from '../../../src/groups/authority/actions.js'
import { said } from './judge.js'
import type { Move, Scene } from './move.js'
import { MOVES, UNTRIED } from './moves.js'
import { ownGroup, type Player } from './players.js'
import type { Room } from './room.js'

const ACTION_NAMES = Object.keys(ACTIONS) as Action[]
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

/** Chooses what is asked next, and counts what has been. */
export class Choice {
  /** `commit-add hostile refused`: how often. */
  readonly #met = new Map<string, number>()

  constructor(private readonly scene: Scene) {}

  meet(action: Action, by: Player, outcome: 'yes' | 'refused'): void {
    const cell = `${action} ${by.hostile ? 'hostile' : 'honest'} ${outcome}`
    this.#met.set(cell, (this.#met.get(cell) ?? 0) + 1)
  }

  /** What was never met: the action, who asked, and whether it was refused. */
  missing(): string[] {
    const cells = ACTION_NAMES.filter((action) => !UNTRIED.includes(action)).flatMap((action) =>
      ['honest', 'hostile'].flatMap((who) => ['yes', 'refused'].map((outcome) => `${action} ${who} ${outcome}`)),
    )
    return cells.filter((cell) => !this.#met.has(cell))
  }

  /** Mostly something that has not been met yet, or what has to be done before. */
  next(): Move | undefined {
    const { dice } = this.scene
    const [cell = ''] = dice.chance(0.7) ? dice.shuffled(this.missing()) : []
    const [action, who, outcome] = cell.split(' ') as [Action | '', string?, string?]
    if (action === '') return this.#find(dice.weighted(WEIGHTS))
    const setup = SETUPS[action]
    return this.#find(action, who, outcome) ?? (setup && (this.#find(setup, who, 'yes') ?? this.#find(setup, undefined, 'yes')))
  }

  #find(action: Action, who?: string, outcome?: string): Move | undefined {
    const { dice, players, rooms } = this.scene
    const wanted = (may: boolean) => outcome === undefined || may === (outcome === 'yes')
    for (const room of dice.shuffled(rooms))
      for (const by of dice.shuffled(players)) {
        if ((who !== undefined && by.hostile !== (who === 'hostile')) || !wouldTry(by, room, action)) continue
        const move = MOVES[action](this.scene, by, room)
        if (move && wanted(said(move, [room.model]).has('yes'))) return move
      }
    return undefined
  }
}

/** Honest people do not act with the bytes of others. */
function wouldTry(by: Player, room: Room, action: Action): boolean {
  const needsOwn = /^(commit|propose|post|publish|create-branch)/u.test(action) && !action.endsWith('join')
  return by.hostile || !needsOwn || ownGroup(by, room.id) !== undefined
}

/** Two that change more than one group do not happen beside anything else, but beside each other. */
export function compatible(moves: readonly Move[]): Move[] {
  const [first] = moves.filter(({ alone }) => alone)
  if (!first) return [...moves]
  return first.name === 'create-successor' ? moves.filter(({ name, room }) => name === first.name && room === first.room) : [first]
}
