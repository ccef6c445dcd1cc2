import type { Action } from '../../../src/groups/authority/actions.js'
import type { Dice } from './dice.js'
import type { GroupModel } from './group-model.js'
import type { Player } from './players.js'
import type { Room } from './room.js'

/** One thing that a device wants of a group. */
export interface Move {
  readonly name: string
  readonly by: Player
  readonly room: Room
  /** The row of the page, which can depend on how others stand; two where that cannot be known. */
  row(model: GroupModel): Action | readonly Action[]
  /** Whether the right join code comes with it. */
  readonly code: boolean
  /** Why it is refused to those who may as well: what the page says in words. */
  besides?(model: GroupModel): string | undefined
  run(): Promise<unknown>
  /** What has changed when it is accepted, apart from what Commits change. */
  effect?(model: GroupModel): void
  /** Called once when it is accepted. */
  accepted?(): void
  /** It changes another group as well, so nothing else happens at the same time but the same. */
  readonly alone?: boolean
  /** Nobody may: whatever the page says, it is refused. */
  readonly spoilt?: boolean
  /** Answers that have nothing to do with rights, besides the usual ones. */
  readonly also?: readonly string[]
}

/** The client had no reason to ask the server, or could not. */
export class Unsent extends Error {}

/** What a move is chosen among. */
export interface Scene {
  readonly dice: Dice
  readonly players: readonly Player[]
  readonly rooms: readonly Room[]
  /** Entries of one kind, from the log. */
  kept(room: Room, kind: 'c' | 'p' | 'a'): Promise<{ seq: number; bytes: Uint8Array }[]>
  /** A new group takes the place of the one that it succeeds. */
  succeed(room: Room, id: Uint8Array, by: Player): void
}

export type Maker = (scene: Scene, by: Player, room: Room) => Move | undefined
