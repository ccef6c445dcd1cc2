import { z } from 'zod'
import { HttpUrl } from './urls.js'
import { Count, Duration, Size } from './units.js'

export const SealedSender = {
  // The next key is announced a quarter of it before it signs, and every provider has to have looked by then.
  TOKEN_KEY_PERIOD: Duration(6 * 3_600_000, 90 * 86_400_000)
    .default(7 * 86_400_000)
    .describe('How long one key signs send tokens. They can be spent for as long again, and quotas count within it.'),
  TOKENS_PER_BATCH: Count(1, 1_000)
    .default(50)
    .describe('Send tokens in one batch: no more and no fewer, so that batches do not tell clients apart.'),
  TOKENS_PER_ACCOUNT: Count(1, 10_000_000).default(10_000).describe('Send tokens per account and key period.'),
  TOKENS_PER_PEER: Count(1, 100_000_000).default(1_000_000).describe('Send tokens for the users of one other provider and key period.'),
  SEALED_MESSAGES_PER_MINUTE: Count(1, 1_000_000).default(6_000).describe('Posts without a sender per group and minute.'),
}

const GIB = 1024 ** 3
const TIB = 1024 * GIB

const PEER_URL = /^([a-z0-9][a-z0-9.:-]*)=(https?:\/\/[^\s,/]+)$/
const PEER_OF_RANGE = /^([a-z0-9][a-z0-9.:-]*)=/
const ranges = (text: string): string[] => text.split(',').map((range) => range.trim())

/** How the certificate of a peer of the draft is recognized: by the hash of its key (hexadecimal), or by an authority (path of a PEM file). */
export interface DraftTrust {
  readonly kind: 'pin' | 'authority'
  readonly value: string
}

const DRAFT_PEER = /^([a-z0-9][a-z0-9.:-]*)=(?:sha256:([0-9a-fA-F]{64})|ca:(\S+))$/

function draftPeer(text: string): [domain: string, trust: DraftTrust] | undefined {
  const [, domain, pin, file] = DRAFT_PEER.exec(text) ?? []
  if (domain === undefined) return undefined
  return [domain, pin === undefined ? { kind: 'authority', value: file ?? '' } : { kind: 'pin', value: pin.toLowerCase() }]
}

/** Peers that speak nothing but draft-ietf-mimi-protocol-06, over mutual TLS. */
const Draft = {
  FEDERATION_DRAFT_PEERS: z
    .string()
    .refine(
      (text) => ranges(text).every((one) => draftPeer(one)),
      'must be like b.example=sha256:<64 hex digits>,c.example=ca:/path/to/ca.pem',
    )
    .transform((text) => {
      const peers = new Map<string, DraftTrust[]>()
      for (const [domain, trust] of ranges(text).flatMap((one) => [draftPeer(one) ?? []].filter((pair) => pair.length === 2)))
        peers.set(domain, [...(peers.get(domain) ?? []), trust])
      return peers
    })
    .optional()
    .describe(
      'Providers that speak nothing but the draft, and by what their certificates are recognized, as `b.example=sha256:<SHA-256 of the SubjectPublicKeyInfo, hexadecimal>,c.example=ca:/path/to/ca.pem`. A provider may be named several times (docs/federation-draft-06.md).',
    ),
  FEDERATION_DRAFT_PORT: z.coerce
    .number()
    .int()
    .min(1)
    .max(65_535)
    .optional()
    .describe('Port of the listener with mutual TLS for peers of the draft. Unset: none. Needs FEDERATION_TLS_CERT.'),
  FEDERATION_DRAFT_URL: HttpUrl.optional().describe(
    'Where peers of the draft reach that listener. Default: https://<DOMAIN>:<FEDERATION_DRAFT_PORT>.',
  ),
}

export const Federation = {
  ...Draft,
  FEDERATION: z
    .enum(['off', 'open', 'allow-list', 'deny-list'])
    .default('off')
    .describe(
      'Which other providers may be in groups with ours: none, all, those that `peers allow` names, or all but those of `peers deny`.',
    ),
  FEDERATION_URL: HttpUrl.optional().describe(
    'Where peers reach this server, if not at PUBLIC_URL: a listener of their own (mutual TLS), or a private network.',
  ),
  FEDERATION_PEER_URLS: z
    .string()
    .transform((text) => ranges(text).map((pair) => PEER_URL.exec(pair)?.slice(1) ?? []))
    .refine((pairs) => pairs.every(({ length }) => length === 2), 'must be pairs such as b.example=https://10.0.0.2, separated by commas')
    .transform((pairs) => new Map(pairs.map(([domain = '', url = '']) => [domain, url])))
    .optional()
    .describe(
      'Where to find the directory of a provider if not at https://<domain>, as `b.example=http://10.0.0.2:8080,…`: private networks and tests. Without TLS only that provider is asked there.',
    ),
  FEDERATION_ALLOWED_RANGES: z
    .string()
    .transform((text) => ranges(text).map((one) => ({ range: one.slice(one.indexOf('=') + 1), peer: PEER_OF_RANGE.exec(one)?.[1] })))
    .refine(
      (list) => list.every(({ range }) => z.union([z.cidrv4(), z.cidrv6()]).safeParse(range).success),
      'must be address ranges such as b.example=10.0.0.0/8, separated by commas',
    )
    .optional()
    .describe(
      'Private or loopback addresses at which one peer may be asked all the same, as `b.example=10.0.0.0/8,…`. A range without a name is for all peers, and any of them can then have this server send requests to it. Unset: none.',
    ),
  FEDERATION_NEW_PEERS_PER_MINUTE: Count(1, 1_000_000)
    .default(120)
    .describe(
      'Directories of providers that this server has never met, fetched by one process in a minute because of requests that come in (anyone may claim to be from anywhere), and as many for own users. Of these, each address, peer and account has a few, in turn (`new-peers-of-…` in docs/limits.md).',
    ),
  FEDERATION_REQUESTS_PER_MINUTE: Count(1, 10_000_000).default(6_000).describe('Requests of one peer and minute.'),
  FEDERATION_UNVERIFIED_PER_MINUTE: Count(1, 1_000_000)
    .default(60)
    .describe(
      'Requests per client address and minute that claim to be of a peer and are found not to be, or not yet. Those with a right signature count for nothing.',
    ),
  FEDERATION_BYTES_PER_MINUTE: Size(TIB)
    .default(128 * 1024 ** 2)
    .describe('Bytes of requests that one peer may send per minute, and of log entries that are fetched from it.'),
  FEDERATION_USER_MAX_BYTES: Size(TIB)
    .default(4 * GIB)
    .describe('Bytes of all groups of one hub elsewhere that are kept here because of one of our users, who joined them first.'),
  FEDERATION_PEER_MAX_BYTES: Size(TIB)
    .default(16 * GIB)
    .describe(
      'Bytes of all groups of one hub elsewhere that are kept here. Beyond it its batches are held back, and the operator sees it.',
    ),
  CONSENT: z
    .enum(['implicit', 'explicit'])
    .default('implicit')
    .describe(
      'Whether users have KeyPackages of our users by default, until those revoke it, or only once those have granted it (also among users of this server).',
    ),
  IDENTIFIER_QUERY: z
    .enum(['exact', 'off'])
    .default('exact')
    .describe('Whether our users are found by their exact handle, unless they opted out, or not at all.'),
  IDENTIFIER_QUERIES_PER_MINUTE: Count(1, 1_000_000).default(300).describe('Queries for our users per peer and minute.'),
  ABUSE_REPORTS_PER_HOUR: Count(1, 1_000_000).default(20).describe('Abuse reports per reporting user and hour.'),
  ABUSE_REPORTS_PER_PEER_PER_HOUR: Count(1, 1_000_000).default(600).describe('Abuse reports passed on by one peer per hour.'),
  FEDERATION_KEY_LEAD: Duration(0, 30 * 86_400_000)
    .default(86_400_000)
    .describe('How long a new provider key is published before it signs, and an old one after it did.'),
  FEDERATION_CLOCK_SKEW: Duration(0, 300_000).default(30_000).describe('How far the clock of a peer may be off.'),
  FEDERATION_TLS_CERT: z.string().min(1).optional().describe('PEM file of the certificate that this server shows to peers (mutual TLS).'),
  FEDERATION_TLS_KEY: z.string().min(1).optional().describe('PEM file of the key to it.'),
  FEDERATION_TLS_CA: z
    .string()
    .min(1)
    .optional()
    .describe('PEM file of the authorities that certificates of peers are checked against. Unset: those of Node.'),
}
