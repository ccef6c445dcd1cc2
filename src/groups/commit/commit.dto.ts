import { z } from 'zod'
import { MlsBytes } from '../../platform/http/bytes.js'
import { ClientUri } from '../policy/uris.js'

export const SubmitCommit = z
  .strictObject({
    commit: MlsBytes().meta({ description: 'MLSMessage: PublicMessage in public mode and for external Commits, else PrivateMessage' }),
    welcomes: z.array(MlsBytes()).max(64).optional().meta({ description: 'MLSMessages; together they answer each Add once' }),
    group_info: MlsBytes()
      .optional()
      .meta({ description: 'MLSMessage of the new epoch; mandatory where external joins are on; never with a tree in public mode' }),
    ratchet_tree: MlsBytes().optional().meta({ description: 'Private mode with external joins: the tree of the new epoch' }),
    removed: z.array(ClientUri).max(10_000).optional().meta({ description: 'Private mode: who is out after this Commit' }),
    reinit: z.boolean().optional().meta({ description: 'Private mode: this Commit carries a ReInit' }),
    join_code: z.string().min(8).max(128).optional().meta({ description: 'For an external Commit where the policy asks for a code' }),
  })
  .meta({ id: 'SubmitCommit' })
export type SubmitCommit = z.infer<typeof SubmitCommit>
