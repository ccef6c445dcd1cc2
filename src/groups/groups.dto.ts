import { z } from 'zod'
import { FreezeReason } from '../protocol/frames.js'
import { Epoch, GroupId, Hash, Seq, MlsBytes } from '../platform/http/bytes.js'
import { ShownDelivery } from './delivery/delivery.dto.js'
import { ClientUri } from './policy/uris.js'

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
    readable_seq: Seq.optional().meta({
      description:
        'Where the log that this provider shows ends now, if that is before `seq`: the group is at home at another provider, and the entry has not come from there yet',
    }),
  })
  .meta({ id: 'Accepted', description: 'epoch is the epoch of the group after the entry' })
export type Accepted = z.infer<typeof Accepted>

/** Groups of two hubs may have one MLS group id: then one of them has another address. */
export const MlsGroupId = GroupId.meta({
  description:
    'The MLS group id, where it is another one than `group_id`, by which the group is addressed at this server: groups of two providers may have one id',
})

/** A group as one of its members sees it. */
export const Group = z
  .object({
    group_id: GroupId,
    mls_group_id: MlsGroupId.optional(),
    mode: Mode,
    cipher_suite: z.int(),
    incarnation: z.int(),
    epoch: Epoch,
    head_seq: Seq,
    head_chain: Hash,
    post_floor: Epoch.meta({ description: 'Application messages of earlier epochs are refused' }),
    room: z.string(),
    frozen: FreezeReason.optional(),
    successor: GroupId.optional(),
    successor_of: GroupId.optional().meta({ description: 'The group whose place this one took' }),
    expected: z
      .array(z.string())
      .max(1_000)
      .optional()
      .meta({
        description:
          'Clients (URIs) that were members of the group before when it stopped, and have not been in this one yet: the first 1,000, without those ' +
          'that are revoked or banned',
      }),
    member_since: Seq.optional().meta({ description: 'First entry that this device reads' }),
    delivery: ShownDelivery.optional().meta({
      description: 'How this device wants it delivered; see chooseDelivery. invited: the user has not accepted it yet, see listInvitations',
    }),
    leaving: z.array(z.string()).optional().meta({ description: 'Client URIs that asked to leave or were revoked, and wait for a Commit' }),
  })
  .meta({ id: 'Group' })
export type Group = z.infer<typeof Group>

/** What a submission was made for; see docs/adr/0026-incarnations.md. */
const MadeIn = z
  .int()
  .positive()
  .max(0x7fff_ffff)
  .optional()
  .meta({
    description:
      'The incarnation of the group that the sender is in, as entries, positions and acceptances give it. Without it, epochs that may have ' +
      'been used in two incarnations are refused',
  })

export const SubmitCommit = z
  .strictObject({
    commit: MlsBytes().meta({ description: 'MLSMessage: PublicMessage in public mode and for external Commits, else PrivateMessage' }),
    welcomes: z.array(MlsBytes()).max(64).optional().meta({ description: 'MLSMessages; together they answer each Add once' }),
    group_info: MlsBytes()
      .optional()
      .meta({ description: 'MLSMessage of the new epoch; mandatory where external joins are on; never with a tree in public mode' }),
    ratchet_tree: MlsBytes().optional().meta({ description: 'Private mode with external joins: the tree of the new epoch' }),
    removed: z.array(ClientUri).max(10_000).optional().meta({ description: 'Private mode: whom the committer removes by this Commit' }),
    let_go: z.array(ClientUri).max(10_000).optional().meta({
      description:
        'Private mode: who is out after this Commit because it asked to leave or was revoked, and may come back as the policy says',
    }),
    reinit: z.boolean().optional().meta({ description: 'Private mode: this Commit carries a ReInit' }),
    successor: GroupId.optional().meta({
      description: 'Private mode, with `reinit`: the group id that the ReInit announces. Nobody else can take it then',
    }),
    join_code: z.string().min(8).max(128).optional().meta({ description: 'For an external Commit where the policy asks for a code' }),
    incarnation: MadeIn,
  })
  .meta({ id: 'SubmitCommit' })
export type SubmitCommit = z.infer<typeof SubmitCommit>

export const SubmitProposal = z
  .strictObject({
    proposal: MlsBytes().meta({ description: 'MLSMessage with one Proposal for the current epoch' }),
    incarnation: MadeIn,
  })
  .meta({ id: 'SubmitProposal' })
export type SubmitProposal = z.infer<typeof SubmitProposal>

export const SubmitMessage = z
  .strictObject({
    message: MlsBytes().meta({ description: 'MLSMessage: a PrivateMessage with application data' }),
    incarnation: MadeIn,
  })
  .meta({ id: 'SubmitMessage' })
export type SubmitMessage = z.infer<typeof SubmitMessage>
