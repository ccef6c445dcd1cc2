import type { GroupModel } from './group-model.js'
import type { Move } from './move.js'

/** What a Commit, or something else that was accepted, has changed. */
export type Effect = (model: GroupModel) => void

/** Problems that have nothing to do with rights: what was asked is late, not valid, or in the way of something else. */
const NOT_ABOUT_RIGHTS: ReadonlySet<string> = new Set([
  'stale-epoch',
  'epoch-ahead',
  'incarnation-changed',
  'proposals-pending',
  'proposals-void',
  'invalid-commit',
  'undecodable',
  'invalid-request',
  'too-many-proposals',
  'rate-limited',
  'storage-full',
  'policy-changed',
  'commit-required',
  'sender-key-taken',
])

/** What is refused before any group is looked for. */
const OF_FORM: ReadonlySet<string> = new Set(['undecodable', 'invalid-request'])

/** All that the page says of a move by one of these models. */
export function said(move: Move, models: readonly GroupModel[]): ReadonlySet<string> {
  return new Set(models.flatMap((model) => saidBy(move, model)))
}

function saidBy(move: Move, model: GroupModel): string[] {
  const rows = [move.row(model)].flat()
  const words = new Set(rows.flatMap((row) => [...model.says(row, move.by.client.uri, move.code)]))
  return [...words].map((word) => (word === 'yes' ? (move.besides?.(model) ?? word) : word))
}

/**
 * Whether an answer is what the page says, or what those who have the right may get besides. A member without the right can be late, too;
 * all others hear nothing but what the page says.
 */
export function agrees(answer: string, words: ReadonlySet<string>, move: Move, models: readonly GroupModel[]): boolean {
  if (move.spoilt && answer === 'yes') return false
  if (words.has(answer) || (move.spoilt && OF_FORM.has(answer))) return true
  const inside = models.some((model) => model.isMember(move.by.client.uri))
  if (NOT_ABOUT_RIGHTS.has(answer)) return words.has('yes') || inside
  // The message of another.
  if (move.spoilt && inside) return answer === 'forbidden'
  return (words.has('yes') || words.has('successor-taken')) && (move.also ?? []).includes(answer)
}

/**
 * The group at each moment at which a move may have been judged while others were under way: after some of the Commits, and some of
 * what else was accepted.
 */
export function moments(before: GroupModel, deltas: readonly Effect[], effects: readonly Effect[]): GroupModel[] {
  const models: GroupModel[] = []
  for (let count = 0; count <= deltas.length; count++)
    for (let chosen = 0; chosen < 2 ** effects.length; chosen++) {
      // What an administrator changes can have come before or behind the Commits.
      for (const first of [true, false]) {
        const model = before.clone()
        const some = effects.filter((_, index) => (chosen >> index) & 1)
        const parts = first ? [...some, ...deltas.slice(0, count)] : [...deltas.slice(0, count), ...some]
        for (const part of parts) part(model)
        models.push(model)
      }
    }
  return models
}
