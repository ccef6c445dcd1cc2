import { ALLOWED, refused, type Facts, type Judgement } from './facts.js'
import { judgeExternalJoin, judgeRosterChange, type Joiner, type RosterChange, type Verdict } from './rules.js'

type Joining = Joiner & Pick<Facts, 'acquainted'> & { policy: Pick<Facts['policy'], 'externalJoin'> }

/** One condition of an action. The first one that refuses is what the caller hears of. */
type Rule = (facts: Facts) => Judgement

/** For members only. Who never had to do with the group gets the answer for a group that does not exist. */
const member: Rule = ({ member, acquainted }) => {
  if (member) return ALLOWED
  return acquainted ? refused('not-a-member') : refused('not-found')
}
/** Who has left already may say it again. */
const leaver: Rule = (facts) => (facts.leaving ? ALLOWED : member(facts))
/** Up to the end of their time in the group, former members as well. */
const reader: Rule = (facts) => (facts.ever ? ALLOWED : member(facts))
const admin: Rule = ({ admin }) => (admin ? ALLOWED : refused('forbidden', 'Only admins of the group may do this.'))
/** Admins look after a group, and so after its room, also from a device that is no member, or while the group has not let them in yet. */
const memberOrAdmin: Rule = (facts) => (facts.admin ? ALLOWED : member(facts))
const takesEntries: Rule = ({ frozen }) => (frozen ? refused('group-frozen') : ALLOWED)
/** A ReInit whose successor nobody can create, say because its id is lost, may still become a reset. */
const resettable: Rule = (facts) => (facts.admin && facts.frozen === 'reinit' && !facts.succeeded ? ALLOWED : takesEntries(facts))
const undoable: Rule = ({ frozen, reserved }) => (frozen === 'reset' && reserved ? ALLOWED : refused('reset-final'))
/** Or who is quickest, alone in the successor, would take the room from everybody else. */
const mayFollow: Rule = ({ frozen, banned, admin, resetter, reserved, succeeded }) => {
  if (!frozen) return refused('no-predecessor')
  if (banned) return refused('policy', 'This user is banned from the group.')
  // Once there is one, the answer names it.
  return admin || resetter || !reserved || succeeded ? ALLOWED : refused('successor-reserved')
}

/** Whether the policy lets a device in without an invitation. A stranger that it does not let in learns nothing of the policy. */
export function judgeJoiner(facts: Joining): Judgement {
  const verdict = byPolicy(judgeExternalJoin(facts.policy, facts))
  return verdict.kind === 'allowed' || facts.acquainted || letsStrangersIn(facts) ? verdict : refused('not-found')
}

/** A Proposal has no place for a join code. */
function joinerWithoutCode(facts: Facts): Judgement {
  return judgeJoiner({ ...facts, codeMatches: false })
}

/** Also where this one is banned. */
function letsStrangersIn({ policy, codeMatches }: Joining): boolean {
  return policy.externalJoin === 'open' || (policy.externalJoin === 'code' && codeMatches)
}

function byPolicy(verdict: Verdict): Judgement {
  return verdict.kind === 'allowed' ? ALLOWED : refused('policy', verdict.why)
}

const CALLER = 1n
const SOMEBODY = 2n
const NO_CHANGE = { added: [], removed: [], reinit: false } as const

/** What `judgeRosterChange` says of a Commit or Proposal that does one thing. */
function change(change: Partial<Omit<RosterChange, 'by'>>): Rule {
  return ({ policy, admin }) => byPolicy(judgeRosterChange(policy, { ...NO_CHANGE, ...change, by: { userId: CALLER, admin } }))
}
const adds =
  (userId: bigint): Rule =>
  (facts) =>
    change({ added: [{ userId, banned: userId === CALLER && facts.banned }] })(facts)
const removes = (userId: bigint, reason: 'removed' | 'left', admin = false): Rule => change({ removed: [{ userId, reason, admin }] })

interface Described {
  /** The row's title in docs/authority.md. */
  title: string
  rules: readonly Rule[]
  /** In a private group the server cannot see what this does: the rules that are left to it. The others are for the members to enforce. */
  private?: readonly Rule[]
}

const handshake = (title: string, rule: Rule): Described => ({ title, rules: [member, takesEntries, rule] })
/** Members' Proposals of a private group are PrivateMessages. */
const proposal = (title: string, rule: Rule): Described => ({ ...handshake(title, rule), private: [member, takesEntries] })

/** Everything that somebody may want of one group, and who may: docs/authority.md is written from this table. */
export const ACTIONS = {
  'read-group': { title: 'Read the group', rules: [memberOrAdmin] },
  'read-log': { title: 'Read the log', rules: [reader] },
  'read-policy': { title: 'Read the policy', rules: [memberOrAdmin] },
  'read-group-info': { title: 'Read GroupInfo and tree of the current epoch', rules: [memberOr(judgeJoiner)] },
  'read-sender-keys': { title: 'Read sender keys', rules: [member] },
  'publish-sender-key': { title: 'Publish a sender key', rules: [member, takesEntries] },
  'post-message': { title: 'Post a message', rules: [member, takesEntries] },

  'commit-update': handshake('Commit: own keys only', () => ALLOWED),
  'commit-add': handshake('Commit: add another user', adds(SOMEBODY)),
  'commit-add-own': handshake('Commit: add a device of one’s own', adds(CALLER)),
  'commit-remove': handshake('Commit: remove another user', removes(SOMEBODY, 'removed')),
  'commit-remove-admin': handshake('Commit: remove an admin', removes(SOMEBODY, 'removed', true)),
  'commit-remove-own': handshake('Commit: remove a device of one’s own', removes(CALLER, 'left')),
  'commit-remove-leaving': handshake('Commit: remove a device that asked to leave', removes(SOMEBODY, 'left')),
  'commit-reinit': handshake('Commit: reinitialize', change({ reinit: true })),
  'commit-extensions': {
    ...handshake('Commit: change the group’s extensions', change({ extensions: true })),
    private: [member, takesEntries],
  },
  'commit-join': { title: 'External Commit: join', rules: [judgeJoiner, takesEntries] },

  'propose-add': proposal('Propose: add another user', adds(SOMEBODY)),
  'propose-remove': proposal('Propose: remove another user', removes(SOMEBODY, 'removed')),
  'propose-remove-admin': proposal('Propose: remove an admin', removes(SOMEBODY, 'removed', true)),
  'propose-remove-own': proposal('Propose: remove a device of one’s own', removes(CALLER, 'left')),
  'propose-reinit': proposal('Propose: reinitialize', change({ reinit: true })),
  'propose-extensions': proposal('Propose: change the group’s extensions', change({ extensions: true })),
  'propose-join': { title: 'External Proposal: be added', rules: [joinerWithoutCode, takesEntries] },

  'choose-delivery': { title: 'Mute or block the group', rules: [member] },
  leave: { title: 'Leave', rules: [memberOr(leaver), takesEntries] },
  report: { title: 'Report a Commit', rules: [member] },
  reset: {
    title: 'Reset, without reports',
    rules: [memberOrAdmin, resettable, ({ admin }) => (admin ? ALLOWED : refused('policy'))],
  },
  'reset-by-reports': { title: 'Reset, with enough reports', rules: [memberOrAdmin, resettable] },
  'undo-reset': { title: 'Undo a reset', rules: [memberOrAdmin, admin, undoable] },
  'create-successor': { title: 'Create the successor', rules: [memberOrAdmin, mayFollow] },
  'create-branch': { title: 'Branch', rules: [member, takesEntries] },
  delete: { title: 'Delete the group', rules: [memberOrAdmin, admin] },

  'change-policy': { title: 'Change the policy', rules: [memberOrAdmin, admin] },
  'make-admin': { title: 'Make a user an admin', rules: [memberOrAdmin, admin] },
  'dismiss-admin': { title: 'Dismiss an admin', rules: [memberOrAdmin, admin] },
  ban: { title: 'Ban a user', rules: [memberOrAdmin, admin] },
  unban: { title: 'Lift a ban', rules: [memberOrAdmin, admin] },
} as const satisfies Record<string, Described>

export type Action = keyof typeof ACTIONS

/** Whether somebody who stands like this may do it. */
export function judge(action: Action, mode: 'public' | 'private', facts: Facts): Judgement {
  const described: Described = ACTIONS[action]
  const rules = (mode === 'private' && described.private) || described.rules
  for (const rule of rules) {
    const judgement = rule(facts)
    if (judgement.kind === 'refused') return judgement
  }
  return ALLOWED
}

function memberOr(rule: Rule): Rule {
  return (facts) => (facts.member ? ALLOWED : rule(facts))
}
