import { Injectable } from '@nestjs/common'

/** How long copies of directories serve, in milliseconds. A test sets its own. */
@Injectable()
export class DirectoryTimes {
  /** How long a node goes by what it has read in the database, where other nodes may have stored a later one. */
  memory = 30_000
  /** An older copy serves while it is fetched again. */
  fresh = 1_800_000
  /** An older copy serves when it could not be fetched again within `patience`. */
  stale = 3_600_000
  patience = 2_000
  /** Key ids may be invented by anyone; they cost at most one fetch in this time. */
  again = 10_000
  /** The operator is warned so long before the end, if a directory cannot be fetched. */
  warning = 3 * 86_400_000
}
