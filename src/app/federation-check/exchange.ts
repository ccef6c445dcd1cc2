import type { KeyObject } from 'node:crypto'
import type { KeyDirectory } from '../../federation/identity/directory-document.js'
import { expand, type Endpoint } from '../../federation/identity/endpoints.js'
import type { Outcome } from '../../federation/outbound/outcome.js'
import type { PeerHttp } from '../../federation/outbound/peer-http.js'
import { checkContentDigest } from '../../protocol/http-signature/content-digest.js'
import { responseSignature } from '../../protocol/http-signature/signed-response.js'
import { encodeIdentifierRequest } from '../../protocol/mimi/identifier-query.js'
import { ed25519Key } from '../../protocol/signature-key.js'
import { fail, pass, skip, warn, type Check } from './check.js'
import { draftRequest, signDraft, type DraftOrigin, type DraftRequest, type SentRequest } from './draft-request.js'

/** Two servers, one of which asks. */
export interface Exchange extends DraftOrigin {
  readonly directory: KeyDirectory
  readonly http: PeerHttp
}

export type Answer = Extract<Outcome, { kind: 'answered' }>

/** An identifierQuery for nothing, which changes nothing. */
export const emptyQuery = (exchange: Exchange): DraftRequest =>
  draftTo(exchange, 'identifierQuery', exchange.target, encodeIdentifierRequest({ elements: [] }))

export function draftTo(exchange: Exchange, endpoint: Endpoint, argument: string, body: Uint8Array): DraftRequest {
  const address = addressOf(exchange, endpoint, argument)
  if (address === undefined) throw new RangeError(`The peer has no endpoint ${endpoint}`)
  return draftRequest(exchange, address, body)
}

function addressOf({ directory }: Exchange, endpoint: Endpoint, argument: string): string | undefined {
  const template = directory.endpoints[endpoint]
  const address = typeof template === 'string' ? expand(template, argument) : undefined
  return address !== undefined && URL.canParse(address) ? address : undefined
}

export async function deliver({ http }: Exchange, { url, headers, body }: SentRequest): Promise<Outcome> {
  return http.send({ method: 'POST', url, headers, ...(body.length > 0 && { body }) })
}

/** The name of a problem, without its prefix. */
export function problemOf({ body }: Answer): string | undefined {
  return /"urn:microchat:problem:([a-z-]{1,64})"/.exec(Buffer.from(body).toString('latin1'))?.[1]
}

const ADVICE: Readonly<Record<string, string>> = {
  'peer-denied': 'The other operator does not admit this provider: ask for `peers allow` there.',
  'key-unknown':
    'The peer does not find this key: it cannot fetch the directory of this provider, or does not believe it. See there: peers list.',
  'signature-stale': 'The clocks differ by more than 30 s.',
  'profile-unsupported': 'It finds no profile in common.',
  'signature-invalid': 'A proxy on the way changes the address or a field: see "Proxies" in the operator guide.',
  'target-mismatch': 'Its DOMAIN is another one than was asked.',
  'rate-limited': 'It was asked too often: wait a minute.',
}

/** One request with nothing wrong, and all that an answer has to be. */
export async function examineExchange(exchange: Exchange): Promise<Check[]> {
  if (addressOf(exchange, 'identifierQuery', exchange.target) === undefined)
    return skipped('The directory has no identifierQuery that could be asked.')
  const sent = signDraft(emptyQuery(exchange))
  const outcome = await deliver(exchange, sent)
  if (outcome.kind !== 'answered') return skipped(`There is no answer (${outcome.kind}: ${outcome.detail}).`)
  return [acceptance(outcome), ...(await examineAnswer(exchange, sent, outcome))]
}

function skipped(why: string): Check[] {
  const names = ['answer-signed', 'answer-target', 'answer-digest', 'clock']
  return [fail('request-accepted', why), ...names.map((name) => skip(name, 'There is no answer.'))]
}

function acceptance(answer: Answer): Check {
  if (answer.status === 200)
    return pass(
      'request-accepted',
      'A signed request is taken: the peer reaches and believes the directory of this provider, and admits it.',
    )
  const problem = problemOf(answer)
  return fail('request-accepted', `A signed request is refused: ${answer.status} ${problem ?? ''}. ${ADVICE[problem ?? ''] ?? ''}`.trim())
}

/** Whether an answer counts: signed by a key of the directory, over what it answers, with a digest that matches, for whom it says, and now. */
export async function examineAnswer(exchange: Exchange, sent: SentRequest, { status, headers, body }: Answer): Promise<Check[]> {
  const request = { method: 'POST', targetUri: sent.url, headers: sent.headers }
  const claimed = responseSignature({ status, headers, request }, body.length > 0)
  const target =
    headers['mimi-target'] === exchange.domain
      ? pass('answer-target', 'It says for whom it is.')
      : fail('answer-target', 'Mimi-Target is not the provider that asked.')
  const hasDigest = body.length > 0 || headers['content-digest'] !== undefined
  const digest =
    !hasDigest || (await checkContentDigest(headers, body)) === 'matches'
      ? pass('answer-digest', 'Its digest is that of its body.')
      : fail('answer-digest', 'Its Content-Digest is missing, or not that of its body.')
  if (claimed.kind === 'faulty')
    return [
      fail('answer-signed', `It is not signed as it has to be: ${claimed.fault}.`),
      target,
      digest,
      skip('clock', 'The answer has no time that counts.'),
    ]
  const key = keyOf(exchange.directory, claimed.keyId)
  const isRight = claimed.domain === exchange.target && key !== undefined && claimed.verify(key) === 'valid'
  const signed = isRight
    ? pass('answer-signed', 'It is signed by a key of the directory, for this request.')
    : fail('answer-signed', 'Its signature does not verify by a key of the directory, or is of another provider.')
  return [signed, target, digest, clockOf(claimed.created)]
}

function clockOf(created: number): Check {
  const ahead = created - Math.floor(Date.now() / 1000)
  const text =
    Math.abs(ahead) <= 1 ? 'The clocks agree.' : `Its clock is ${Math.abs(ahead)} seconds ${ahead > 0 ? 'ahead of' : 'behind'} this one.`
  if (Math.abs(ahead) > 30) return fail('clock', `${text} No more than 30 are tolerated: let both follow NTP.`)
  return Math.abs(ahead) > 10 ? warn('clock', text) : pass('clock', text)
}

function keyOf({ keys }: KeyDirectory, keyId: string): KeyObject | undefined {
  const found = keys.find(({ kid }) => kid === keyId)
  return found && ed25519Key(Buffer.from(found.x, 'base64url'))
}
