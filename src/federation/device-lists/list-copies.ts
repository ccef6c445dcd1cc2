import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { ErasedNames } from '../../authentication/accounts/erased-names.js'
import { POOL, transaction } from '../../platform/postgres/sql.js'
import { readCopy, writeCopy, type ListCopy } from './foreign-device-lists.repository.js'

/** Copies of the lists of other providers' users. */
@Injectable()
export class ListCopies {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly names: ErasedNames,
  ) {}

  /** With its age. */
  read(user: string): Promise<(ListCopy & { ageMs: number }) | undefined> {
    return readCopy(this.pool, user)
  }

  write(user: string, list: ListCopy): Promise<void> {
    return transaction(this.pool, (sql) => writeCopy(sql, user, list, this.names))
  }
}
