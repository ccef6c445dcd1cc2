import { z } from 'zod'
import { Epoch, GroupId, Hash, Seq } from '../platform/http/bytes.js'

export const Mode = z.enum(['public', 'private']).meta({
  description: 'public: handshakes are PublicMessages and the server checks them; private: the server sees epochs only',
})

/** Where an accepted entry stands. Compare `chain` with other members' inside encrypted messages: one history for all. */
export const Accepted = z
  .object({
    seq: Seq,
    epoch: Epoch,
    incarnation: z.int(),
    chain: Hash,
  })
  .meta({ id: 'Accepted', description: 'epoch is the epoch of the group after the entry' })
export type Accepted = z.infer<typeof Accepted>

/** A group as one of its members sees it. */
export const Group = z
  .object({
    group_id: GroupId,
    mode: Mode,
    cipher_suite: z.int(),
    incarnation: z.int(),
    epoch: Epoch,
    head_seq: Seq,
    head_chain: Hash,
    post_floor: Epoch.meta({ description: 'Application messages of earlier epochs are refused' }),
    room: z.string(),
    frozen: z.enum(['reinit', 'reset']).optional(),
    successor: GroupId.optional(),
    member_since: Seq.optional().meta({ description: 'First entry that this device reads' }),
    leaving: z.array(z.string()).optional().meta({ description: 'Client URIs that asked to leave or were revoked, and wait for a Commit' }),
  })
  .meta({ id: 'Group' })
export type Group = z.infer<typeof Group>
