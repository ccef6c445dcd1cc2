import { genericBatched, publicVerif, TokenChallenge, type Token } from '@cloudflare/privacypass-ts'
import type { Http } from '../http.js'

/** What an issuer says of itself (RFC 9578 §4, with two additions of this server). */
export interface IssuerDirectory {
  'issuer-request-uri': string
  'token-keys': { 'token-type': number; 'token-key': string; 'not-before'?: number; 'redeem-until': number }[]
  'batch-size': number
}

const BATCH = 'application/private-token-generic-batch-request'
const BLIND_RSA = 2

/**
 * Send tokens for one hub. Fetch them ahead of time, on a schedule with jitter and always a whole batch: a batch that is fetched just
 * before a post says who posts. Keep what is here like a key, and spend each token once.
 */
export class TokenPurse {
  readonly tokens: Token[] = []

  constructor(
    /** The device's own server, with its session: it counts who gets how many, and cannot recognise a token later. */
    private readonly http: Http,
    /** Domain of the hub, which issues the tokens and takes them back. */
    private readonly hub: string,
    private readonly origin = hub,
  ) {}

  /** One batch. If the answer is lost, the same request goes again and costs nothing. */
  async fill(): Promise<void> {
    const query = `?issuer=${encodeURIComponent(this.hub)}`
    const directory = await this.http.get<IssuerDirectory>(`/v1/tokens/issuer${query}`)
    const tokenKey = presentKey(directory)
    // Issuer and origin are one; the context is empty, so that a token is good at any time (RFC 9577 §2.1).
    const challenge = new TokenChallenge(BLIND_RSA, this.hub, new Uint8Array(), [this.origin])
    const clients = Array.from({ length: directory['batch-size'] }, () => new publicVerif.Client(publicVerif.BlindRSAMode.PSS))
    const requests: genericBatched.TokenRequest[] = []
    for (const client of clients) requests.push(new genericBatched.TokenRequest(await client.createTokenRequest(challenge, tokenKey)))
    const answer = await this.http.postBytes(`/v1/tokens${query}`, BATCH, new genericBatched.BatchedTokenRequest(requests).serialize())
    const { tokenResponses } = genericBatched.GenericBatchTokenResponse.deserialize(answer)
    for (const [index, client] of clients.entries()) {
      const response = tokenResponses[index]?.tokenResponse
      if (!response) throw new Error('The issuer left a token out')
      // Unblinds, and checks the signature: an issuer that marks tokens by another key is found here.
      this.tokens.push(await client.finalize(response as publicVerif.TokenResponse))
    }
  }

  take(): Token {
    const token = this.tokens.shift()
    if (!token) throw new Error('The purse is empty: fill it on a schedule, not now')
    return token
  }
}

/** The last key whose time has come. All clients see the same ones; compare directories with others by another way. */
function presentKey(directory: IssuerDirectory): Uint8Array {
  const now = Date.now() / 1000
  const key = directory['token-keys'].findLast((one) => one['token-type'] === BLIND_RSA && (one['not-before'] ?? 0) <= now)
  if (!key) throw new Error('The issuer has no key for now')
  return new Uint8Array(Buffer.from(key['token-key'], 'base64url'))
}
