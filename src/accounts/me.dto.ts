import { z } from 'zod'
import { ClientUri, UserUri } from '../authentication/identifiers.dto.js'
import { Amount, UnixSeconds } from '../platform/http/bytes.js'

const MeDevice = z
  .object({
    client: ClientUri,
    since: UnixSeconds,
    revoked_at: UnixSeconds.optional(),
    current: z.boolean().meta({ description: 'The device that asks' }),
  })
  .meta({ id: 'MeDevice' })

const MeSettings = z
  .object({
    searchable: z.boolean().meta({ description: 'See setSearchable' }),
    invitations: z.enum(['open', 'ask']).meta({ description: 'See setInvitationPolicy' }),
  })
  .meta({ id: 'MeSettings' })

const MeCounts = z
  .object({
    groups: Amount.meta({ description: 'Groups in which at least one of the devices is a member' }),
    key_packages: Amount.meta({ description: 'KeyPackages that are kept for the devices' }),
    inbox: Amount.meta({ description: 'Items in the inboxes of the devices' }),
    blocks: Amount.meta({ description: 'Users whom this user has blocked' }),
    consents: Amount.meta({ description: 'Decisions of this user about the consent of others, and open requests to it' }),
  })
  .meta({ id: 'MeCounts', description: 'Each is counted up to 10,000' })

export const Me = z
  .object({
    user: UserUri,
    created_at: UnixSeconds,
    devices: z
      .array(MeDevice)
      .meta({ description: 'The newest 1,000, revoked ones included; the oldest of them first. Keys: see listDevices' }),
    settings: MeSettings,
    counts: MeCounts,
  })
  .meta({ id: 'Me', description: 'The account of who asks' })
export type Me = z.output<typeof Me>
