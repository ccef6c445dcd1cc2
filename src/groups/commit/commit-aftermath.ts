import { Injectable } from '@nestjs/common'
import { Hints } from '../../platform/hints/hints.js'
import { Events } from '../../platform/observability/events.js'
import { commitAccepted } from '../groups.events.js'
import { PublicStates } from '../state/public-states.js'
import { Snapshots } from '../state/snapshots.job.js'
import type { CommitContext, Judged } from './commit-context.js'

/** What follows an accepted Commit, after COMMIT: nobody's correctness depends on any of it. */
@Injectable()
export class CommitAftermath {
  constructor(
    private readonly states: PublicStates,
    private readonly snapshots: Snapshots,
    private readonly hints: Hints,
    private readonly events: Events,
  ) {}

  accepted({ group, bundle }: CommitContext, judged: Judged, seq: bigint): void {
    const { added, removed, external, followups } = judged
    this.hints.publish([
      // Also to who joins without a Welcome: a stream that is open follows its new membership.
      ...added.map(({ deviceId }) => ({ kind: 'inbox' as const, deviceId })),
      { kind: 'group', gid: group.gid, headSeq: seq + BigInt(followups.length) },
    ])
    if (judged.states) {
      const tracked = this.states.remember(group, judged.states.before, judged.states.next, { seq, bytes: bundle.bytes.length })
      this.snapshots.consider(group, tracked)
    }
    commitAccepted(this.events, { mode: group.mode, external, added: added.length, removed: removed.length })
  }
}
