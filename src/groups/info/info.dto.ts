import { z } from 'zod'
import { Mode } from '../groups.dto.js'
import { Epoch, EpochText, MlsBytes } from '../../platform/http/bytes.js'

export const AtEpoch = z.strictObject({
  epoch: EpochText.optional().meta({ description: 'Default: the current epoch' }),
})
export type AtEpoch = z.infer<typeof AtEpoch>

export const GroupInfoAt = z
  .object({
    epoch: Epoch,
    mode: Mode.optional().meta({
      description: 'How members frame their handshakes, which the GroupInfo does not say. A hub of an earlier release leaves it out',
    }),
    group_info: MlsBytes().meta({ description: 'MLSMessage' }),
  })
  .meta({ id: 'GroupInfoAt' })

export const TreeAt = z
  .object({
    epoch: Epoch,
    ratchet_tree: MlsBytes().meta({ description: 'optional<Node> ratchet_tree<V> of RFC 9420 §12.4.3.3' }),
  })
  .meta({ id: 'TreeAt' })
