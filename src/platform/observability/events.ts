import { Inject, Injectable } from '@nestjs/common'
import type { Logger } from 'pino'
import { LOG } from './log.js'
import { Metrics } from './metrics.js'

/** Facts that may be logged: counts, sizes, modes. Never a payload, a token, a group's or a device's id. */
export type EventFacts = Readonly<Record<string, number | boolean | string | undefined>>

/**
 * Business events, named in the past tense (`commit.accepted`). Each module has one typed function per event in
 * `<module>.events.ts` that calls `record`, so that names and facts are in one file per module.
 */
@Injectable()
export class Events {
  constructor(
    @Inject(LOG) private readonly log: Logger,
    private readonly metrics: Metrics,
  ) {}

  record(name: `${string}.${string}`, facts: EventFacts = {}): void {
    this.metrics.events.inc({ event: name })
    this.log.info({ event: name, ...facts }, name)
  }
}
