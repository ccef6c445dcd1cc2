import { purgeForeignUsers } from '../../authentication/directory/foreign-devices.repository.js'
import { deleteInBatches, purgeJob } from '../../platform/jobs/purge.js'

const EVERY_MS = 600_000
/** Users looked at in one transaction. */
const AT_ONCE = 50

/** Users and devices of other providers that nothing here names any more: they were written down for a request that is long answered. */
export const foreignUserPurge = purgeJob({
  name: 'federation.purge_foreign_users_v1',
  everyMs: EVERY_MS,
  deletions: [(sql) => deleteInBatches(AT_ONCE, () => purgeForeignUsers(sql, AT_ONCE))],
})
