import { z } from 'zod'
import { CountText, GroupId, Hash, MlsBytes, UnixSeconds } from '../../platform/http/bytes.js'
import { MAX_ENTRIES } from '../../protocol/identity/list.js'
import { Nonce, Proof, PublicKey } from '../challenges/challenges.dto.js'
import { ClientUri, UserUri } from '../identifiers.dto.js'

/** Ten keys of ML-DSA-87, or more than a hundred of Ed25519, with what proves them. */
const MAX_ENTRY_BYTES = 16_384
const MAX_HEAD_BYTES = 8_192
const MAX_NEW_ENTRIES = 16

const Entry = MlsBytes(MAX_ENTRY_BYTES).meta({ description: 'A whole DeviceListEntry (docs/identity.md §2)' })
const Head = MlsBytes(MAX_HEAD_BYTES).meta({ description: 'A whole DeviceListHead (docs/identity.md §3)' })

export const PasskeyAttestation = z
  .strictObject({
    nonce: Nonce,
    client_data_json: MlsBytes(4_096),
    attestation_object: MlsBytes(16_384).meta({ description: 'Of format `packed` (W3C Web Authentication Level 2 §8.2)' }),
  })
  .meta({
    id: 'PasskeyAttestation',
    description:
      'What navigator.credentials.create answered to a challenge (purpose `new-passkey`) for the client that sends it (docs/identity.md §2)',
  })
export type PasskeyAttestation = z.infer<typeof PasskeyAttestation>

export const DeviceListUpdate = z
  .strictObject({
    entries: z.array(Entry).min(1).max(MAX_NEW_ENTRIES).meta({ description: 'What follows the last entry that the server has' }),
    head: Head.meta({ description: 'The head of the list with these entries' }),
    attestation: PasskeyAttestation.optional().meta({
      description: 'Of the one passkey that these entries certify, where the server asks for it',
    }),
  })
  .meta({ id: 'DeviceListUpdate' })
export type DeviceListUpdate = z.infer<typeof DeviceListUpdate>

export const HeadRenewal = z.strictObject({ head: Head }).meta({ id: 'DeviceListHeadRenewal' })
export type HeadRenewal = z.infer<typeof HeadRenewal>

export const ListRecovery = z
  .strictObject({
    client: ClientUri,
    nonce: Nonce,
    public_key: PublicKey,
    proof: Proof,
    rp_id: z.string().min(1).max(253).optional().meta({
      description: 'The key is a passkey of this RP ID, and the proof a PasskeySignature over the same content (docs/identity.md §2)',
    }),
  })
  .meta({ id: 'ListRecovery', description: '`client` is the new one; the key is in its user’s list, and of no device' })
export type ListRecovery = z.infer<typeof ListRecovery>

export const DeviceListState = z
  .object({
    number: z.int().meta({ description: 'Of the last entry' }),
    effective_at: UnixSeconds.optional().meta({
      description: 'When the change takes effect, where it waits: the list is as it was before',
    }),
  })
  .meta({ id: 'DeviceListState', description: 'The list as it is now, or as it will be' })
export type DeviceListState = z.output<typeof DeviceListState>

export const PendingListChange = z
  .object({
    number: z.int().meta({ description: 'Of the last new entry' }),
    hash: Hash.meta({ description: 'Of the last new entry: the subject of a proof. Compute it from the entries' }),
    effective_at: UnixSeconds,
    entries: z.array(Entry).meta({ description: 'What follows the last entry of the list: verify them, and show the user what they do' }),
    head: Head,
  })
  .meta({ id: 'PendingListChange', description: 'A change of the device list that waits (docs/identity.md §7)' })
export type PendingListChange = z.output<typeof PendingListChange>

export const DeviceListQuery = z.strictObject({
  user: UserUri,
  from: CountText(1, MAX_ENTRIES + 1)
    .default(1)
    .meta({ description: 'Number of the first entry that is wanted' }),
  group: GroupId.optional().meta({
    description:
      'A group in which the caller meets the user. Of a user of another provider: that one may know only by it that the two have to do with each other',
  }),
})
export type DeviceListQuery = z.infer<typeof DeviceListQuery>

export const DeviceListPage = z
  .object({
    user: UserUri,
    identities: z.int().meta({ description: 'How many identities the account has had; more than one: an operator let it begin again' }),
    number: z.int().meta({ description: 'Of the last entry' }),
    entries: z.array(Entry).meta({ description: 'From the wanted one to the last; none where it is past the last' }),
    head: Head,
  })
  .meta({ id: 'DeviceList', description: 'What a user’s own keys say of the user’s devices: verify it as docs/identity.md says' })
export type DeviceListPage = z.output<typeof DeviceListPage>
