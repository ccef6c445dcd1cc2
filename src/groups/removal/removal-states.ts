import { Injectable } from '@nestjs/common'
import type { PublicGroupState } from '../../protocol/public-group/state.js'
import type { GroupRow } from '../repository/groups.repository.js'
import { PublicStates } from '../state/public-states.js'
import { StoredEpochs } from '../state/stored-epochs.js'

/** The roster of a group as far as the server sees it: always in public mode, with external joins in private mode. */
@Injectable()
export class RemovalStates {
  constructor(
    private readonly states: PublicStates,
    private readonly stored: StoredEpochs,
  ) {}

  async of(group: GroupRow): Promise<PublicGroupState | undefined> {
    return group.mode === 'public' ? (await this.states.at(group)).state : this.stored.find(group)
  }
}
