import { z } from 'zod'
import { CountText, GroupId, RowIdText } from '../../platform/http/bytes.js'
import { Mode } from '../groups.dto.js'

export const ListInvitations = z.strictObject({
  after: RowIdText.optional().meta({ description: 'The `next` of the page before' }),
  limit: CountText(1, 500).default(100),
})
export type ListInvitations = z.infer<typeof ListInvitations>

export const Invitations = z
  .object({
    invitations: z.array(
      z.object({
        group_id: GroupId,
        room: z.string(),
        mode: Mode,
        cipher_suite: z.int(),
        clients: z.array(z.string()).meta({ description: 'Client URIs of this user’s devices that were added' }),
      }),
    ),
    next: z.string().optional().meta({ description: 'There may be more: ask again with this as `after`' }),
  })
  .meta({ id: 'Invitations' })
export type Invitations = z.output<typeof Invitations>

const invitations = {
  invitations: z.enum(['open', 'ask']).meta({
    description: 'open: every group is delivered; ask: one into which somebody without consent puts this user waits until it is accepted',
  }),
}
export const InvitationPolicy = z.object(invitations).meta({ id: 'InvitationPolicy' })
export type InvitationPolicy = z.output<typeof InvitationPolicy>
export const SetInvitationPolicy = z.strictObject(invitations).meta({ id: 'SetInvitationPolicy' })
export type SetInvitationPolicy = z.infer<typeof SetInvitationPolicy>
