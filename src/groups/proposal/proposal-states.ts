import { Injectable } from '@nestjs/common'
import type { Sender } from '../../protocol/mls/structures/public-message.js'
import type { PublicGroupState } from '../../protocol/public-group/state.js'
import type { SubmissionContext } from '../commit/commit-context.js'
import { PublicStates } from '../state/public-states.js'
import { StoredEpochs } from '../state/stored-epochs.js'

/** What a Proposal is judged by: a public group's state, or what a private group shows of its epoch to joiners. */
@Injectable()
export class ProposalStates {
  constructor(
    private readonly states: PublicStates,
    private readonly stored: StoredEpochs,
  ) {}

  /** @returns undefined for a private group that shows nothing, unless the sender wants to join: that cannot do without */
  async of({ group, lastHandshake }: SubmissionContext, sender: Sender): Promise<PublicGroupState | undefined> {
    if (group.mode === 'public') return (await this.states.at(group, lastHandshake)).state
    return sender.kind === 'new-member-proposal' ? this.stored.of(group) : this.stored.find(group)
  }
}
