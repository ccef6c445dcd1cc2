import { publicVerif, TokenChallenge, type Token } from '@cloudflare/privacypass-ts'
import type { Http } from '../client/http.js'
import type { IssuerDirectory } from '../client/sealed/tokens.js'

const BLIND_RSA = 2

/** One token by a request of its own (RFC 9578 §6.1). Clients fetch whole batches instead: see `TokenPurse`. */
export async function sendToken(http: Http, domain: string): Promise<Token> {
  const directory = await http.get<IssuerDirectory>('/v1/tokens/issuer')
  const now = Date.now() / 1000
  const key = directory['token-keys'].findLast((one) => one['token-type'] === BLIND_RSA && (one['not-before'] ?? 0) <= now)
  if (!key) throw new Error('The issuer has no key for now')
  const client = new publicVerif.Client(publicVerif.BlindRSAMode.PSS)
  const challenge = new TokenChallenge(BLIND_RSA, domain, new Uint8Array(), [domain])
  const request = await client.createTokenRequest(challenge, new Uint8Array(Buffer.from(key['token-key'], 'base64url')))
  const answer = await http.postBytes('/v1/tokens', 'application/private-token-request', request.serialize())
  return client.finalize(publicVerif.TokenResponse.deserialize(answer))
}
