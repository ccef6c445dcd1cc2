import { z } from 'zod'
import { Hash, MlsBytes, UnixSeconds } from '../platform/http/bytes.js'
import { parseUserUri, USER_URI } from '../protocol/identifiers.js'

/** Larger than any honest one; what a hostile one makes a decoder do grows with its size. */
export const MAX_KEY_PACKAGE_BYTES = 16 * 1024
export const MAX_KEY_PACKAGES_PER_UPLOAD = 100

const CodePoint = z.int().min(0).max(0xffff)
const CipherSuite = z.int().min(1).max(0xffff).meta({ description: 'MLS cipher suite (RFC 9420 §17.1)' })
const KeyPackageBytes = MlsBytes(MAX_KEY_PACKAGE_BYTES).meta({ description: 'MLSMessage of wire format mls_key_package (RFC 9420 §6)' })

/** The server follows the suites of RFC 9420 §17.1. Of others it needs the hash, by which KeyPackages are called in Welcomes (§5.2). */
const OtherSuite = z.strictObject({ cipher_suite: CodePoint.min(8), hash: z.enum(['sha256', 'sha384', 'sha512']) })

export const UploadKeyPackages = z
  .strictObject({
    key_packages: z.array(KeyPackageBytes).max(MAX_KEY_PACKAGES_PER_UPLOAD).default([]),
    last_resort: z
      .array(KeyPackageBytes)
      .max(MAX_KEY_PACKAGES_PER_UPLOAD)
      .default([])
      .meta({ description: 'The same, to be kept as last resort; one that carries the last resort component may be in either list.' }),
    other_suites: z.array(OtherSuite).max(16).default([]).meta({ description: 'Suites of these KeyPackages that RFC 9420 does not list' }),
  })
  .refine(({ key_packages: one, last_resort: two }) => one.length + two.length > 0, 'At least one KeyPackage')
  .refine(
    ({ key_packages: one, last_resort: two }) => one.length + two.length <= MAX_KEY_PACKAGES_PER_UPLOAD,
    `At most ${MAX_KEY_PACKAGES_PER_UPLOAD} KeyPackages at once`,
  )
  .meta({ id: 'UploadKeyPackages' })
export type UploadKeyPackages = z.infer<typeof UploadKeyPackages>

export const KeyPackagesStored = z
  .object({
    stored: z.array(z.object({ ref: Hash, cipher_suite: CipherSuite, last_resort: z.boolean(), expires_at: UnixSeconds })),
  })
  .meta({ id: 'KeyPackagesStored' })
export type KeyPackagesStored = z.input<typeof KeyPackagesStored>

export const KeyPackageCounts = z
  .object({
    cipher_suites: z.array(
      z.object({
        cipher_suite: CipherSuite,
        available: z.int().meta({ description: 'KeyPackages that can be claimed, without the last resort' }),
        last_resort: z.boolean().meta({ description: 'Whether there is one of last resort' }),
      }),
    ),
    low: z.int().meta({ description: 'Below this many, key-packages.low is sent' }),
    maximum: z.int().meta({ description: 'Kept per device, over all suites' }),
  })
  .meta({ id: 'KeyPackageCounts' })
export type KeyPackageCounts = z.input<typeof KeyPackageCounts>

export const KeyPackagesDeleted = z.object({ deleted: z.int() }).meta({ id: 'KeyPackagesDeleted' })

const CodePoints = z.array(CodePoint).max(64).default([])

export const ClaimKeyPackages = z
  .strictObject({
    user: z
      .string()
      .max(400)
      .refine((uri) => parseUserUri(uri) !== undefined, 'Expected mimi://<domain>/u/<user>')
      .meta({ description: 'User URI', pattern: USER_URI.source, examples: ['mimi://localhost/u/bob'] }),
    cipher_suites: z.array(CipherSuite).min(1).max(16).meta({ description: 'Accepted suites, the preferred one first' }),
    required_capabilities: z
      .strictObject({ extensions: CodePoints, proposals: CodePoints, credentials: CodePoints })
      .default({ extensions: [], proposals: [], credentials: [] })
      .meta({ description: "As in the group's required_capabilities (RFC 9420 §11.1)" }),
    key_material_request: MlsBytes(8_192).optional().meta({
      description:
        'Where the user or the room is of another provider: an ExtendedKeyMaterialRequest for this user, signed by this device just now (docs/federation-profile.md); it says the rest',
    }),
  })
  .meta({ id: 'ClaimKeyPackages' })
export type ClaimKeyPackages = z.infer<typeof ClaimKeyPackages>

export const KeyPackagesClaimed = z
  .object({
    key_packages: z.array(
      z.object({
        client: z.string(),
        cipher_suite: CipherSuite,
        key_package: KeyPackageBytes,
        ref: Hash,
        last_resort: z.boolean(),
      }),
    ),
    unavailable: z.array(z.string()).meta({ description: 'Clients of the user that have no suitable KeyPackage' }),
    reasons: z
      .array(z.object({ client: z.string(), reason: z.enum(['exhausted', 'incompatible']) }))
      .meta({ description: 'Of each in `unavailable`: it has no KeyPackage left, or none of these suites with these capabilities' }),
  })
  .meta({ id: 'KeyPackagesClaimed' })
export type KeyPackagesClaimed = z.input<typeof KeyPackagesClaimed>
