import { z } from 'zod'

/** As the rule `certificate-subject` has it (docs/identity.md §2). */
const RP_ID = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/
const listed = (text: string): string[] => text.split(',').map((item) => item.trim())

/** Which passkeys serve in device lists (docs/identity.md §2). */
export const Passkeys = {
  PASSKEY_RP_IDS: z
    .string()
    .transform(listed)
    .refine((ids) => ids.every((id) => RP_ID.test(id)), 'must be host names such as passkeys.example.com, separated by commas')
    .optional()
    .describe('RP IDs of which users may put passkeys into their device lists. Unset: any.'),
  PASSKEY_ATTESTATION: z
    .enum(['none', 'required'])
    .default('none')
    .describe(
      'Whether a new passkey has to come with an attestation of its authenticator (format packed) by a root of PASSKEY_ATTESTATION_ROOTS.',
    ),
  PASSKEY_ATTESTATION_ROOTS: z
    .string()
    .min(1)
    .optional()
    .describe('PEM file of certificates that issue attestations, for PASSKEY_ATTESTATION=required.'),
  PASSKEY_AAGUIDS: z
    .string()
    .toLowerCase()
    .transform(listed)
    .refine((ids) => ids.every((id) => z.guid().safeParse(id).success), 'must be AAGUIDs, separated by commas')
    .optional()
    .describe('Models of authenticators that serve, by AAGUID, for PASSKEY_ATTESTATION=required. Unset: all that the roots attest.'),
}
