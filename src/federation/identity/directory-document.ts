import { z } from 'zod'
import { MAX_PUBLISHED } from '../../authentication/x509/authority-rotation.js'
import { MAX_AUTHORITY_BYTES } from '../../authentication/x509/operator-authority.js'
import { isProviderDomain } from '../../protocol/identifiers.js'
import { ENDPOINTS, type Endpoint } from './endpoints.js'

const MAX_KEYS = 16
/** Two for each key, by the two names of the algorithm, and as many by keys that have gone and still vouch. */
const MAX_SIGNATURES = 64
const MAX_ENDPOINTS = 64

/** Up to the year 9999: what PostgreSQL and Date can both hold. */
const Seconds = z.int().nonnegative().max(253_402_300_799)
const Name = z.string().regex(/^[\x21-\x7e]{1,64}$/)
const KeyOfDirectory = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  kid: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  nbf: Seconds,
  exp: Seconds.optional(),
})

/** DER in base64url. A provider whose authorities cannot be read has none; the rest of its directory counts. */
const AuthoritiesOfDirectory = z
  .array(
    z
      .string()
      .max(Math.ceil((MAX_AUTHORITY_BYTES * 4) / 3))
      .regex(/^[A-Za-z0-9_-]+$/),
  )
  .max(MAX_PUBLISHED)
  .optional()
  .catch(undefined)

/** A provider's own description, signed by each of its keys: a peer that has pinned one of them learns of the others by it. */
export const KeyDirectory = z.object({
  domain: z.string().refine(isProviderDomain),
  issued_at: Seconds,
  expires_at: Seconds,
  profiles: z.array(Name).max(16),
  /** What the provider can do beyond that, by name. */
  features: z.array(Name).max(32).optional(),
  /** By name; those of another form than a template do not exist. */
  endpoints: z.record(z.string(), z.unknown()).refine((all) => Object.keys(all).length <= MAX_ENDPOINTS, 'must be few'),
  keys: z
    .array(KeyOfDirectory)
    .min(1)
    .max(MAX_KEYS)
    .refine((keys) => new Set(keys.map(({ kid }) => kid)).size === keys.length, 'must have ids of their own'),
  x509_authorities: AuthoritiesOfDirectory,
})
export type KeyDirectory = z.infer<typeof KeyDirectory>

const Signature = z.object({ signature: z.string().max(256), protected: z.string().max(256) })
/** JWS in its general JSON serialization (RFC 7515 §7.2.1). */
export const SignedKeyDirectory = z.object({ payload: z.string().max(32_768), signatures: z.array(Signature).min(1).max(MAX_SIGNATURES) })
export type SignedKeyDirectory = z.infer<typeof SignedKeyDirectory>

/** `/.well-known/mimi-protocol-directory`. What stands beside `key_directory` is for readers of the draft, and counts for nothing here. */
export const MimiDirectory = z.looseObject({ key_directory: SignedKeyDirectory })
export type MimiDirectory = z.infer<typeof MimiDirectory>

/** A fetched directory, read and not yet verified; or why it is none. */
export type ReadDirectory =
  | { readonly kind: 'read'; readonly outside: MimiDirectory; readonly signed: SignedKeyDirectory; readonly directory: KeyDirectory }
  | { readonly kind: 'malformed'; readonly why: string }

/** @param body of an answer of 200 */
export function readDirectory(body: Uint8Array): ReadDirectory {
  const json = parsed(body)
  if (json === undefined) return { kind: 'malformed', why: 'it is no JSON' }
  const outside = MimiDirectory.safeParse(json)
  if (!outside.success) return { kind: 'malformed', why: `it has no JWS that can be read, at ${placeOf(outside.error)}` }
  const signed = outside.data.key_directory
  const directory = KeyDirectory.safeParse(parsed(Buffer.from(signed.payload, 'base64url')))
  if (!directory.success) return { kind: 'malformed', why: `its payload cannot be read, at ${placeOf(directory.error)}` }
  return { kind: 'read', outside: outside.data, signed, directory: directory.data }
}

/** The content of a directory, unverified. Undefined if it is malformed. */
export function readKeyDirectory({ payload }: SignedKeyDirectory): KeyDirectory | undefined {
  return KeyDirectory.safeParse(parsed(Buffer.from(payload, 'base64url'))).data
}

const TEMPLATE = /^[\x21-\x7e]{1,1024}$/

/** Those that this server knows, by name. */
export function endpointsOf({ endpoints }: Pick<KeyDirectory, 'endpoints'>): Record<string, string> {
  const known = Object.keys(ENDPOINTS).flatMap((name): [string, string][] => {
    const template = endpoints[name]
    return typeof template === 'string' && TEMPLATE.test(template) ? [[name, template]] : []
  })
  return Object.fromEntries(known)
}

/** Endpoints, and `profiles`, that are said beside the signed ones in another way: somebody may have written them there. */
export function differingOutside({ outside, directory }: Extract<ReadDirectory, { kind: 'read' }>): readonly string[] {
  const endpoints = Object.keys(ENDPOINTS).filter((name) => outside[name] !== undefined && outside[name] !== directory.endpoints[name])
  const { profiles } = outside
  const same = profiles === undefined || JSON.stringify(profiles) === JSON.stringify(directory.profiles)
  return [...endpoints, ...(same ? [] : ['profiles'])]
}

/** What a provider says of itself. */
export interface DirectoryContent {
  readonly domain: string
  readonly profiles: readonly string[]
  readonly features: readonly string[]
  readonly endpoints: Readonly<Record<Endpoint, string>>
  /** X.509 authorities of the domain, DER. */
  readonly authorities: readonly Uint8Array[]
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    return undefined // not JSON
  }
}

/** Of our schema's words only: nothing that the provider has written. */
function placeOf({ issues }: z.ZodError): string {
  const [first] = issues
  const words = (first?.path ?? []).filter((step): step is string => typeof step === 'string')
  const known = words.filter(
    (word) => word === 'key_directory' || word === 'signatures' || word in KeyDirectory.shape || word in KeyOfDirectory.shape,
  )
  return known.join('.') || 'its top'
}
