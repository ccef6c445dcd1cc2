import type { Config } from '../../platform/config/config.js'
import type { ValidCommit } from '../../protocol/public-group/commit.js'
import type { SentProposal } from '../../protocol/public-group/proposals/pending-proposals.js'
import { judgeRosterChange, type RosterChange } from '../authority/rules.js'
import type { CommitContext, SubmissionContext } from '../commit/commit-context.js'
import { PolicyRefusal } from '../groups.problems.js'
import type { RemovedDevice } from '../repository/submissions.repository.js'
import { addsOf, deviceOf, type Directory } from './roster.js'

export interface Removal extends RemovedDevice {
  userId: bigint
  /** The user is an admin of the group. */
  admin: boolean
  /** It was proposed: by somebody who may. */
  authorized: boolean
}

/** A Proposal of a member who could not commit it would be carried out by the next member who can. */
export function refuseWish({ caller, standing }: SubmissionContext, wish: Omit<RosterChange, 'by'>): void {
  const judged = judgeRosterChange(standing.policy, { by: { userId: caller.userId, admin: standing.admin }, ...wish })
  if (judged.kind === 'refused') throw new PolicyRefusal(judged.why)
}

/** What a Commit does by value is for the committer to answer for; of what it carries out by reference the proposer has the right (`refuseVoid`). */
export function refuseAgainstPolicy(
  { standing, caller }: CommitContext,
  verdict: ValidCommit,
  removed: readonly Removal[],
  directory: Directory,
): void {
  const added = addsOf(verdict).map((member) => ({ ...deviceOf(directory, member), authorized: member.byReference }))
  const own = new Set(verdict.proposals.flatMap(({ proposal, byReference }) => (byReference ? [] : [proposal.kind])))
  // Application data are among the extensions of the group.
  const [reinit, extensions] = [own.has('reinit'), own.has('group-context-extensions') || own.has('app-data-update')]
  const by = { userId: caller.userId, admin: standing.admin }
  const judged = judgeRosterChange(standing.policy, { by, added, removed, reinit, extensions })
  if (judged.kind === 'refused') throw new PolicyRefusal(judged.why)
}

/** Who joins from outside has a right to join, and none to the data of the group, unless its user is an admin. @throws PolicyRefusal */
export function refuseJoinersData(context: CommitContext, { proposals }: Pick<ValidCommit, 'proposals'>): void {
  const extensions = proposals.some(({ proposal }) => proposal.kind === 'app-data-update')
  if (extensions) refuseWish(context, { added: [], removed: [], reinit: false, extensions })
}

/**
 * An update of application data that the servers of a release before cannot follow: their copy of the group would stop at the Commit.
 * @throws PolicyRefusal unless the operator lets them in (APP_DATA_UPDATES)
 */
export function refuseEarlyUpdates(config: Pick<Config, 'APP_DATA_UPDATES'>, proposals: readonly SentProposal[]): void {
  if (config.APP_DATA_UPDATES === 'rooms') return
  const isEarly = proposals.some(({ proposal }) => proposal.kind === 'app-data-update' && proposal.update !== undefined)
  if (isEarly) throw new PolicyRefusal('This server takes no AppDataUpdates that change data, only those that remove it.')
}
