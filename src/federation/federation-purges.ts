import { purgeJob } from '../platform/jobs/purge.js'
import { deleteOldRefusals } from './apart/apart.repository.js'
import { purgeTaken } from './draft/follower/draft-taken.repository.js'
import { deleteExpiredResults } from './inbound/first-results.js'
import { forgetDeletedUnknown } from './follower/replica/deletion.repository.js'
import { purgePassedOn } from './key-material/passed-on.repository.js'
import { purgeJoinProofs } from './joins/join-proofs.repository.js'
import { forgetEvidence } from './evidence/evidence.repository.js'
import { forgetHeads } from './evidence/kept-heads.repository.js'
import { forgetIncarnations } from './follower/replica/incarnations.repository.js'
import { forgetDirectories } from './evidence/kept-directories.repository.js'
import { dropUnwanted } from './device-lists/list-copies.js'
import { foreignUserPurge } from './hub/foreign-user-purge.js'
import { ForgottenReplicas } from './quotas/forgotten-replicas.js'
import { forgetPastIntroductions } from './disclosure/introductions.js'

const purge = purgeJob({
  name: 'federation.purge_v1',
  everyMs: 60_000,
  deletions: [deleteOldRefusals, deleteExpiredResults, forgetDeletedUnknown, purgeJoinProofs, purgeTaken, purgePassedOn],
  needed: ({ FEDERATION }) => FEDERATION !== 'off',
})

const purgeEvidence = purgeJob({
  name: 'federation.purge_evidence_v1',
  everyMs: 3_600_000,
  deletions: [forgetEvidence, forgetHeads, forgetIncarnations, forgetDirectories],
  needed: ({ FEDERATION }) => FEDERATION !== 'off',
})

/** Jobs that delete what is over, and providers that end with it. */
export const PURGES = [purge, purgeEvidence, dropUnwanted, foreignUserPurge, forgetPastIntroductions, ForgottenReplicas]
