import { generateKeyPairSync } from 'node:crypto'
import { encodeConsentEntry } from '../../../protocol/mimi/consent.js'
import { sleep } from '../../../platform/timing.js'
import { fail, pass, skip, warn, type Check } from '../check.js'
import { signDraft, type DraftRequest } from '../draft-request.js'
import { deliver, draftTo, emptyQuery, examineAnswer, problemOf, type Exchange } from '../exchange.js'

interface Refusal {
  readonly name: string
  /** The problems of the page that say this; the first is the best one. */
  readonly problems: readonly string[]
  readonly change: (draft: DraftRequest, exchange: Exchange) => void
  readonly draft?: (exchange: Exchange) => DraftRequest
}

const NEEDED = ['"@method"', '"@authority"', '"@path"', '"@query"', '"from"', '"mimi-target"', '"content-digest"', '"content-type"']
/** Not of a provider: reserved by RFC 2606. */
const ELSEWHERE = 'elsewhere.invalid'

function setComponent({ components }: DraftRequest, identifier: string, value: string): void {
  const found = components.find(([one]) => one === identifier)
  if (found) found[1] = value
}

const SIGNATURES: readonly Refusal[] = [
  {
    name: 'refuses-no-signature',
    problems: ['signature-missing'],
    change: (draft) => (draft.after = ({ headers }) => ['signature', 'signature-input'].forEach((name) => delete headers[name])),
  },
  { name: 'refuses-other-label', problems: ['signature-missing'], change: (draft) => (draft.label = 'sig1') },
  { name: 'refuses-other-tag', problems: ['signature-missing'], change: ({ parameters }) => (parameters['tag'] = 'mimi-response') },
  {
    name: 'refuses-malformed-signature',
    problems: ['signature-malformed'],
    change: (draft) => (draft.after = ({ headers }) => (headers['signature-input'] = 'mimi=(((')),
  },
  {
    name: 'refuses-bad-signature',
    problems: ['signature-invalid'],
    change: (draft) => (draft.key = generateKeyPairSync('ed25519').privateKey),
  },
  {
    name: 'refuses-unknown-key',
    problems: ['key-unknown'],
    change: ({ parameters }, { domain }) => (parameters['keyid'] = `${domain}/unknown`),
  },
  { name: 'refuses-malformed-key-id', problems: ['key-id-malformed'], change: ({ parameters }) => (parameters['keyid'] = 'nobody') },
  { name: 'refuses-other-algorithm', problems: ['algorithm-unsupported'], change: ({ parameters }) => (parameters['alg'] = 'hmac-sha256') },
  { name: 'refuses-other-sender', problems: ['from-mismatch'], change: ({ headers }) => (headers['from'] = `mimi@${ELSEWHERE}`) },
  { name: 'refuses-wrong-target', problems: ['target-mismatch'], change: ({ headers }) => (headers['mimi-target'] = ELSEWHERE) },
]

const TIMES: readonly Refusal[] = [
  { name: 'refuses-stale', problems: ['signature-stale'], change: ({ parameters }) => shift(parameters, -600) },
  { name: 'refuses-future', problems: ['signature-stale'], change: ({ parameters }) => shift(parameters, 600) },
  {
    name: 'refuses-long-life',
    problems: ['signature-too-long-lived'],
    change: ({ parameters }) => (parameters['expires'] = Number(parameters['created']) + 301),
  },
  {
    name: 'refuses-no-expiry',
    problems: ['signature-malformed', 'signature-too-long-lived'],
    change: ({ parameters }) => delete parameters['expires'],
  },
  { name: 'refuses-short-nonce', problems: ['nonce-malformed'], change: ({ parameters }) => (parameters['nonce'] = 'short') },
]

const COVERAGE: readonly Refusal[] = [
  ...NEEDED.map((component): Refusal => ({
    name: `refuses-uncovered-${component.replaceAll(/["@]/g, '')}`,
    problems: ['component-not-covered'],
    change: (draft) => (draft.components = draft.components.filter(([identifier]) => identifier !== component)),
  })),
  { name: 'refuses-component-twice', problems: ['signature-malformed'], change: ({ components }) => components.push(['"from"', '']) },
  { name: 'refuses-seventeen-components', problems: ['signature-malformed'], change: manyComponents },
  {
    name: 'refuses-query-param',
    problems: ['signature-malformed'],
    change: ({ components, url }) => components.push(['"@query-param";name="domain"', new URL(url).searchParams.get('domain') ?? '']),
  },
  {
    name: 'refuses-component-parameter',
    problems: ['signature-malformed'],
    change: ({ components, headers }) => components.push(['"from";bs', `:${Buffer.from(headers['from'] ?? '').toString('base64')}:`]),
  },
  {
    name: 'refuses-absent-component',
    problems: ['signature-malformed'],
    change: ({ components }) => components.push(['"x-absent"', 'nothing']),
  },
  { name: 'refuses-other-authority', problems: ['signature-invalid'], change: (draft) => setComponent(draft, '"@authority"', ELSEWHERE) },
  { name: 'refuses-other-path', problems: ['signature-invalid'], change: (draft) => setComponent(draft, '"@path"', '/mimi/v1/update') },
  { name: 'refuses-other-method', problems: ['signature-invalid'], change: (draft) => setComponent(draft, '"@method"', 'GET') },
  { name: 'refuses-other-query', problems: ['signature-invalid'], change: (draft) => setComponent(draft, '"@query"', '?domain=elsewhere') },
]

const BODIES: readonly Refusal[] = [
  {
    name: 'refuses-other-body',
    problems: ['content-digest-mismatch'],
    change: (draft) => (draft.after = (sent) => (sent.body = Buffer.from('another body'))),
  },
  {
    name: 'refuses-removed-body',
    problems: ['content-digest-mismatch'],
    change: (draft) => (draft.after = (sent) => (sent.body = new Uint8Array())),
  },
  {
    name: 'refuses-weak-digest',
    problems: ['content-digest-missing'],
    change: ({ headers }) => (headers['content-digest'] = 'md5=:1B2M2Y8AsgTpgAmY7PhCfg==:'),
  },
  {
    name: 'refuses-undecodable-body',
    problems: ['undecodable'],
    change: () => undefined,
    draft: (exchange) => draftTo(exchange, 'identifierQuery', exchange.target, Buffer.alloc(40, 0xff)),
  },
  {
    name: 'refuses-other-domain',
    problems: ['not-found'],
    change: () => undefined,
    draft: (exchange) => draftTo(exchange, 'identifierQuery', ELSEWHERE, Buffer.of(0, 0)),
  },
  { name: 'refuses-foreign-user', problems: ['foreign-domain'], change: () => undefined, draft: foreignConsent },
]

export const REFUSALS: readonly Refusal[] = [...SIGNATURES, ...TIMES, ...COVERAGE, ...BODIES]

function shift(parameters: DraftRequest['parameters'], seconds: number): void {
  for (const name of ['created', 'expires']) parameters[name] = Number(parameters[name]) + seconds
}

function manyComponents({ components, headers }: DraftRequest): void {
  for (let number = 0; components.length < 17; number++) {
    headers[`x-${number}`] = 'x'
    components.push([`"x-${number}"`, ''])
  }
}

/** A user of somebody else asks by this provider. */
function foreignConsent(exchange: Exchange): DraftRequest {
  const [requester, target] = [`mimi://${ELSEWHERE}/u/eve`, `mimi://${exchange.target}/u/tester`]
  return draftTo(
    exchange,
    'requestConsent',
    exchange.target,
    encodeConsentEntry({ operation: 'request', requester, target, roomId: undefined, keyPackages: [] }),
  )
}

/** How long to wait for a peer that has enough, at most, in seconds. */
const MOST_WAIT = 90

/** One thing that is wrong with a request, and what the peer says to it. */
export async function examineRefusal(exchange: Exchange, { name, problems, change, draft = emptyQuery }: Refusal): Promise<Check> {
  const made = draft(exchange)
  change(made, exchange)
  return judged(exchange, name, problems, () => signDraft(made))
}

/** The same request twice: the second is nobody's word. */
export async function examineReplay(exchange: Exchange): Promise<Check> {
  const sent = signDraft(emptyQuery(exchange))
  const first = await deliver(exchange, sent)
  if (first.kind !== 'answered' || first.status !== 200) return skip('refuses-replay', 'The first of the two requests was not taken.')
  return judged(exchange, 'refuses-replay', ['nonce-replayed'], () => sent)
}

async function judged(
  exchange: Exchange,
  name: string,
  problems: readonly string[],
  make: () => ReturnType<typeof signDraft>,
): Promise<Check> {
  let [sent, outcome] = await sendOnce(exchange, make)
  if (outcome.kind === 'answered' && outcome.status === 429) {
    await sleep(1_000 * Math.min(MOST_WAIT, Number(outcome.headers['retry-after'] ?? MOST_WAIT) || 1))
    ;[sent, outcome] = await sendOnce(exchange, make)
  }
  if (outcome.kind !== 'answered') return warn(name, `It is not answered (${outcome.kind}): refused, but nobody learns why.`)
  if (outcome.status === 429) return skip(name, 'The peer was asked too often.')
  if (outcome.status < 400) return fail(name, `It is taken (${outcome.status}).`)
  const problem = problemOf(outcome)
  const said = `${outcome.status} ${problem ?? 'without a problem'}`
  if (outcome.status >= 500) return fail(name, `The peer fails over it: ${said}.`)
  if (problem === undefined || !problems.includes(problem)) return warn(name, `It is refused as ${said}, not as ${problems[0] ?? ''}.`)
  const answer = await examineAnswer(exchange, sent, outcome)
  const unsigned = answer.some((check) => check.name === 'answer-signed' && check.verdict === 'fail')
  return unsigned && problem !== 'from-mismatch' && problem !== 'signature-missing'
    ? warn(name, `It is refused as ${said}, but the refusal is not signed.`)
    : pass(name, `It is refused as ${said}.`)
}

async function sendOnce(exchange: Exchange, make: () => ReturnType<typeof signDraft>) {
  const sent = make()
  return [sent, await deliver(exchange, sent)] as const
}
