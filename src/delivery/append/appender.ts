import { Inject, Injectable, Module } from '@nestjs/common'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Hints } from '../../platform/hints/hints.js'
import { PlatformModule } from '../../platform/platform.module.js'
import { POOL } from '../../platform/postgres/sql.js'
import { appendMessages, type AppendItem, type AppendOutcome } from './append.repository.js'
import { hintOf } from './carried-entries.js'
import { MicroBatcher } from './micro-batcher.js'

/** The way of every application message into its group's log; wakes the readers after COMMIT. */
@Injectable()
export class Appender {
  private readonly batcher: MicroBatcher

  constructor(@Inject(POOL) pool: Pool, @Inject(CONFIG) config: Pick<Config, 'MAX_PAST_EPOCHS'>, hints: Hints) {
    this.batcher = new MicroBatcher(
      (items) => appendMessages(pool, items, config.MAX_PAST_EPOCHS),
      (groups) => hints.publish([...groups].flatMap(([gid, messages]) => hintOf(gid, messages))),
    )
  }

  append(item: AppendItem): Promise<AppendOutcome> {
    return this.batcher.append(item)
  }
}

@Module({ imports: [PlatformModule], providers: [Appender], exports: [Appender] })
export class AppendModule {}
