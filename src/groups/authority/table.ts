import type { Action } from './actions.js'
import { judge } from './actions.js'
import type { Facts, Judgement } from './facts.js'

type Standing = Omit<Facts, 'policy' | 'codeMatches' | 'frozen' | 'reserved' | 'succeeded' | 'resetter'>
const STRANGER: Standing = {
  member: false,
  ever: false,
  leaving: false,
  admin: false,
  acquainted: false,
  banned: false,
  removed: false,
  present: false,
  inside: false,
  vouched: false,
  lastEnded: null,
}
const OUT: Standing = { ...STRANGER, acquainted: true, ever: true }
const MEMBER: Standing = { ...STRANGER, acquainted: true, member: true, ever: true, present: true, inside: true }

/** Everybody who may want something of a group, by how the caller's device and user stand there. */
export const ACTORS = {
  stranger: STRANGER,
  'banned stranger': { ...STRANGER, banned: true },
  'former member, left': { ...OUT, lastEnded: 'left' },
  'former member, removed': { ...OUT, lastEnded: 'removed', removed: true },
  'former member, removed and banned': { ...OUT, lastEnded: 'removed', removed: true, banned: true },
  'member’s other device': { ...OUT, ever: false, present: true },
  'member’s certified device': { ...OUT, ever: false, present: true, vouched: true },
  'member’s removed device': { ...OUT, present: true, removed: true, lastEnded: 'removed' },
  'member that is leaving': { ...MEMBER, member: false, leaving: true },
  member: MEMBER,
  'banned member': { ...MEMBER, banned: true },
  admin: { ...MEMBER, admin: true },
  'admin’s other device': { ...OUT, ever: false, present: true, admin: true },
} as const satisfies Record<string, Standing>
export type Actor = keyof typeof ACTORS

/** The policies of a group by which answers can differ; of `external_join` code also whether the caller names the right one. */
export const CHOICES = {
  external_join: ['none', 'same-user', 'wrong code', 'right code', 'open'],
  add_members: ['members', 'admins'],
  remove_members: ['members', 'admins'],
} as const
export type Choices = { readonly [Field in keyof typeof CHOICES]: (typeof CHOICES)[Field][number] }

export type Mode = 'public' | 'private'
/** Whether the group takes entries, and if not, since when and by what. It has no successor yet. */
export const STATES = {
  open: { frozen: null, reserved: false },
  frozen: { frozen: 'reset', reserved: true },
  'frozen for longer': { frozen: 'reset', reserved: false },
  reinitialized: { frozen: 'reinit', reserved: true },
} as const satisfies Record<string, Pick<Facts, 'frozen' | 'reserved'>>
export type State = keyof typeof STATES

/** What the server answers. */
export function answer(action: Action, actor: Actor, mode: Mode, state: State, choices: Choices): Judgement {
  const code = choices.external_join.endsWith('code')
  const facts: Facts = {
    ...ACTORS[actor],
    ...STATES[state],
    ...{ succeeded: false, resetter: false },
    codeMatches: choices.external_join === 'right code',
    policy: {
      externalJoin: code ? 'code' : (choices.external_join as Facts['policy']['externalJoin']),
      addMembers: choices.add_members,
      removeMembers: choices.remove_members,
    },
  }
  return judge(action, mode, facts)
}

/** One cell of the page: `yes`, a problem type, or which of them by one field of the policy. */
export function cell(action: Action, actor: Actor, mode: Mode, state: State): string {
  const said = (choices: Choices) => {
    const judgement = answer(action, actor, mode, state, choices)
    return judgement.kind === 'allowed' ? 'yes' : `\`${judgement.problem}\``
  }
  const [base] = everyPolicy()
  if (new Set(everyPolicy().map(said)).size === 1) return said(base)
  for (const field of ['external_join', 'add_members', 'remove_members'] as const) {
    const byValue = CHOICES[field].map((value) => new Set(everyPolicy(field, value).map(said)))
    if (byValue.some(({ size }) => size > 1)) continue
    return clauses(
      field,
      byValue.map(([only]) => only ?? ''),
    )
  }
  throw new Error(`${action} depends on more than one field of the policy: give the page a row for each`)
}

/** `yes` if `add_members` is members; else `policy`. */
function clauses(field: keyof Choices, answers: readonly string[]): string {
  const values = Map.groupBy(CHOICES[field], (_, index) => answers[index] ?? '')
  const ordered = [...values].sort(([one], [other]) => Number(other === 'yes') - Number(one === 'yes'))
  const [rest = ''] = ordered.at(-1) ?? []
  const named = ordered.slice(0, -1).map(([said, of]) => `${said} if \`${field}\` is ${of.join(' or ')}`)
  return [...named, `else ${rest}`].join('; ')
}

/** Each combination, or each in which a field has one value. */
export function everyPolicy<Field extends keyof Choices>(field?: Field, value?: Choices[Field]): [Choices, ...Choices[]] {
  const all = CHOICES.external_join.flatMap((external_join) =>
    CHOICES.add_members.flatMap((add_members) =>
      CHOICES.remove_members.map((remove_members) => ({ external_join, add_members, remove_members })),
    ),
  )
  return all.filter((choices) => field === undefined || choices[field] === value) as [Choices, ...Choices[]]
}
