import { z } from 'zod'
import { Epoch, EpochText, MlsBytes } from '../../platform/http/bytes.js'

export const AtEpoch = z.strictObject({
  epoch: EpochText.optional().meta({ description: 'Default: the current epoch' }),
})
export type AtEpoch = z.infer<typeof AtEpoch>

export const GroupInfoAt = z
  .object({
    epoch: Epoch,
    group_info: MlsBytes().meta({ description: 'MLSMessage' }),
  })
  .meta({ id: 'GroupInfoAt' })

export const TreeAt = z
  .object({
    epoch: Epoch,
    ratchet_tree: MlsBytes().meta({ description: 'optional<Node> ratchet_tree<V> of RFC 9420 §12.4.3.3' }),
  })
  .meta({ id: 'TreeAt' })
