import { z } from 'zod'
import { Epoch, GroupId, Hash, MlsBytes, Seq } from '../../platform/http/bytes.js'
import { ExternalSenderKey } from '../external-sender/external-sender.dto.js'
import { MlsGroupId, Mode } from '../groups.dto.js'
import { InitialPolicy } from '../policy/policy.dto.js'
import { RoomReference } from '../rooms/rooms.dto.js'

export const CreateGroup = z
  .strictObject({
    mode: Mode.default('public'),
    group_info: MlsBytes().meta({ description: 'MLSMessage with the GroupInfo of the first epoch, signed by the creator' }),
    ratchet_tree: MlsBytes().optional().meta({ description: 'Needed, unless (private mode only) the GroupInfo carries it' }),
    room: RoomReference.optional(),
    successor_of: GroupId.optional().meta({ description: 'The frozen group whose place this one takes' }),
    branch_of: GroupId.optional().meta({ description: 'The group that this one branches from (RFC 9420 §11.3): it begins at epoch 1' }),
    welcomes: z
      .array(MlsBytes())
      .max(64)
      .optional()
      .meta({ description: 'At epoch 1: MLSMessages that together invite each member but the creator once' }),
    policy: InitialPolicy.optional(),
  })
  .meta({ id: 'CreateGroup' })
export type CreateGroup = z.infer<typeof CreateGroup>

export const GroupCreated = z
  .object({
    group_id: GroupId,
    mls_group_id: MlsGroupId.optional(),
    room: z.string(),
    incarnation: z.int(),
    epoch: Epoch,
    seq: Seq.meta({ description: 'Position before the first entry: 0' }),
    chain: Hash,
    mode: Mode,
    external_senders: z
      .array(ExternalSenderKey)
      .optional()
      .meta({ description: 'Keys of this server that the group lists, so that it can propose Removes' }),
  })
  .meta({ id: 'GroupCreated' })
export type GroupCreated = z.infer<typeof GroupCreated>
