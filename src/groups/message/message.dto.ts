import { z } from 'zod'
import { MlsBytes } from '../../platform/http/bytes.js'

export const SubmitMessage = z
  .strictObject({
    message: MlsBytes().meta({ description: 'MLSMessage: a PrivateMessage with application data' }),
  })
  .meta({ id: 'SubmitMessage' })
export type SubmitMessage = z.infer<typeof SubmitMessage>
