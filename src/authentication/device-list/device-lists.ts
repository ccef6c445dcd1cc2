import { Inject, Injectable } from '@nestjs/common'
import { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { NotFound } from '../../platform/http/problem.js'
import { POOL } from '../../platform/postgres/sql.js'
import { parseUserUri } from '../../protocol/identifiers.js'
import type { DeviceListPage, DeviceListQuery } from './device-list.dto.js'
import { findListOf, readEntries } from './device-lists.repository.js'

/** What the users' own keys say of their devices: kept and given out, never written here (docs/identity.md §2). */
@Injectable()
export class DeviceLists {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
  ) {}

  /** @throws NotFound for users without a list, unknown ones and those of other providers */
  async read({ user, from }: DeviceListQuery): Promise<DeviceListPage> {
    if (parseUserUri(user)?.domain !== this.config.DOMAIN) throw new NotFound('This server answers for its own users only.')
    const found = await findListOf(this.pool, user)
    if (found === undefined) throw new NotFound('This user has no device list, or is not known here.')
    const { accountId, identity, identities, number, head } = found
    return { user, identities, number, head, entries: await readEntries(this.pool, accountId, identity, from, number) }
  }
}
