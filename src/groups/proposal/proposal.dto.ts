import { z } from 'zod'
import { MlsBytes } from '../../platform/http/bytes.js'

export const SubmitProposal = z
  .strictObject({
    proposal: MlsBytes().meta({ description: 'MLSMessage with one Proposal for the current epoch' }),
  })
  .meta({ id: 'SubmitProposal' })
export type SubmitProposal = z.infer<typeof SubmitProposal>
