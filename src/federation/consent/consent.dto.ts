import { z } from 'zod'
import { RoomUri, UserUri } from '../../authentication/identifiers.dto.js'
import { ByUser, UserReference } from '../../groups/policy/uris.js'
import { UnixSeconds } from '../../platform/http/bytes.js'

const ConsentRoom = RoomUri.meta({ description: 'Consent for this room only; without it, for all rooms' })

const State = z.enum(['requested', 'granted', 'revoked'])

export const DecideConsent = z
  .strictObject({
    state: z.enum(['granted', 'revoked']),
    room: ConsentRoom.optional(),
    tell: z.boolean().default(false).meta({ description: 'Let the requester know of a revocation. A grant is always told.' }),
  })
  .meta({ id: 'DecideConsent' })
export type DecideConsent = z.infer<typeof DecideConsent>

export const RequestConsent = z.strictObject({ target: UserReference, room: ConsentRoom.optional() }).meta({ id: 'RequestConsent' })
export type RequestConsent = z.infer<typeof RequestConsent>

export const CancelConsent = z.strictObject({ room: ConsentRoom.optional() })
export type CancelConsent = z.infer<typeof CancelConsent>

export const CancelConsentByQuery = z.strictObject({ ...ByUser.shape, ...CancelConsent.shape })
export type CancelConsentByQuery = z.infer<typeof CancelConsentByQuery>

export const ConsentDecided = z
  .object({ told: z.boolean().meta({ description: 'The requester, or its provider, knows. The same request may be sent again.' }) })
  .meta({ id: 'ConsentDecided' })

export const ConsentList = z
  .object({
    given: z
      .array(z.object({ requester: UserUri, room: ConsentRoom.optional(), state: State, changed_at: UnixSeconds }))
      .meta({ description: 'What others ask of this user, and what this user has decided; the latest first' }),
    asked: z
      .array(z.object({ target: UserUri, room: ConsentRoom.optional(), state: State }))
      .meta({ description: 'What this user has asked of others, and what they let it know' }),
  })
  .meta({ id: 'ConsentList' })
export type ConsentList = z.output<typeof ConsentList>
