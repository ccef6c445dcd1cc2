import { Injectable } from '@nestjs/common'
import { Hints } from '../../../platform/hints/hints.js'
import { Events } from '../../../platform/observability/events.js'
import type { NotifyResponse } from '../../../protocol/mimi/microchat/notify-response.js'
import { batchOutOfPlace, batchReceived, hubEquivocated, incarnationBegun, joinsUnproven, replicaStopped } from '../../federation.events.js'

/** What came of a batch. */
export interface Received {
  readonly response: NotifyResponse
  readonly gid?: bigint
  /** Devices that have something new in their inbox. */
  readonly told: readonly bigint[]
}

/** What others hear of a batch, once it is stored. */
@Injectable()
export class ReplicaNews {
  constructor(
    private readonly hints: Hints,
    private readonly events: Events,
  ) {}

  /** @param entries of the batch */
  publish({ response, gid, told }: Received, entries: number): void {
    if (response.code === 'have') batchOutOfPlace(this.events)
    if (response.code !== 'received' || gid === undefined) return
    batchReceived(this.events, entries)
    this.hints.publish([
      ...[...new Set(told)].map((deviceId) => ({ kind: 'inbox' as const, deviceId })),
      { kind: 'group', gid, headSeq: response.receivedThrough },
    ])
  }

  equivocated(kind: Parameters<typeof hubEquivocated>[1]): void {
    hubEquivocated(this.events, kind)
  }

  /** @param joins that the hub says of devices here, and that nothing shows */
  unproven(joins: number): void {
    joinsUnproven(this.events, joins)
  }

  stopped(why: Parameters<typeof replicaStopped>[1]): void {
    replicaStopped(this.events, why)
  }

  /** @param vanished entries that the hub has taken back with it */
  incarnationBegun(vanished: Parameters<typeof incarnationBegun>[1]): void {
    incarnationBegun(this.events, vanished)
  }
}
