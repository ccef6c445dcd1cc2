import { z } from 'zod'
import { RowId } from '../../platform/http/bytes.js'
import { EXTERNAL_JOIN, IDENTITIES, WHO } from './policy.js'

const ExternalJoin = z.enum(EXTERNAL_JOIN).meta({
  description:
    'Who may join without an invitation: other devices of present users (and a resync), holders of the code, anyone, nobody. ' +
    'With `none` a member that lost its state does not come back by itself either: others remove and add it',
})
const JoinCode = z.string().min(8).max(128).meta({ description: 'Needed with external_join code; only its hash is kept' })
const Who = z.enum(WHO)
const ReportsToReset = z
  .int()
  .min(1)
  .max(1000)
  .meta({ description: 'Reports of one Commit by that many users allow a reset without an admin' })

const Identities = z.enum(IDENTITIES).meta({
  description:
    'Whether every new or changed leaf needs a certificate of its user’s device list (docs/identity.md §4). Of a new group: certified if its creator ' +
    'has a device list, or the group before it was. certified cannot be taken back',
})

/** The policy a group starts with; what is left out gets its default. */
export const InitialPolicy = z
  .strictObject({
    external_join: ExternalJoin.default('none'),
    join_code: JoinCode.optional(),
    add_members: Who.default('members'),
    remove_members: Who.default('members'),
    reports_to_reset: ReportsToReset.default(3),
    identities: Identities.optional(),
  })
  .refine((policy) => (policy.external_join === 'code') === (policy.join_code !== undefined), {
    path: ['join_code'],
    message: 'A join_code goes with external_join code, and only with it',
  })
  .meta({ id: 'InitialPolicy' })
export type InitialPolicy = z.infer<typeof InitialPolicy>

/** What is left out stays as it is. */
export const ChangePolicy = z
  .strictObject({
    external_join: ExternalJoin.optional(),
    join_code: JoinCode.optional(),
    add_members: Who.optional(),
    remove_members: Who.optional(),
    reports_to_reset: ReportsToReset.optional(),
    identities: Identities.optional(),
    version: z.int().positive().optional().meta({ description: 'Refuse the change if the policy is of another version by now' }),
  })
  .meta({ id: 'ChangePolicy' })
export type ChangePolicy = z.infer<typeof ChangePolicy>

/**
 * Rights that the server enforces in a private group only as far as a Commit's sender tells the truth; `extensions` and `psk` are for admins alone,
 * and it sees nothing of them there. Of `identities` it sees the devices of Welcomes, and no leaf.
 */
export const LEFT_TO_MEMBERS = ['add_members', 'remove_members', 'reinit', 'extensions', 'psk', 'identities'] as const

export const Policy = z
  .object({
    external_join: ExternalJoin,
    add_members: Who,
    remove_members: Who,
    reports_to_reset: z.int(),
    identities: Identities,
    version: RowId,
    left_to_members: z.array(z.enum(LEFT_TO_MEMBERS)).meta({
      description:
        'What members’ clients have to enforce by themselves as well: in a private group the server sees no Proposals of members, and of a ' +
        'Commit only its Welcomes and what its sender says. Empty for a public group',
    }),
    admins: z.array(z.string()).meta({ description: 'User URIs' }),
    providers_apart: z
      .array(z.object({ by: z.string(), provider: z.string() }))
      .optional()
      .meta({
        description:
          'Providers with members here that do not federate with each other, as far as the hub knows: `by` refuses `provider`. Their users cannot ' +
          'claim each other’s KeyPackages; if one of them is the hub, nothing of the group reaches the other',
      }),
    banned: z.array(z.string()).optional().meta({ description: 'User URIs; shown to admins only' }),
  })
  .meta({ id: 'Policy' })
export type Policy = z.infer<typeof Policy>
