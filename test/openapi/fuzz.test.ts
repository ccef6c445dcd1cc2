import { beforeAll, describe, expect, it } from '@jest/globals'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { encode } from 'cborg'
import fc from 'fast-check'
import type { Client } from '../../examples/client/client.js'
import { toBase64Url } from '../../examples/client/wire.js'
import { useStage } from '../groups/group-fixture.js'
import { addressOf, COMPONENTS, OPERATIONS, type Operation } from './operations.js'
import { hostileText, spoilt, valuesOf, type Encoding } from './schema-values.js'

/** Fixed, so that a failure comes again; FUZZ_SEED sets another one. */
const SEED = Number(process.env['FUZZ_SEED'] ?? 15)
const CASES = 10

const stage = useStage()
let alice: Client
let group: string
beforeAll(async () => {
  ;[alice] = await stage.cast('alice')
  group = toBase64Url((await stage.group(alice)).record.groupId)
})

interface Case {
  readonly values: Record<string, string>
  readonly body: unknown
  readonly encoding: Encoding
}
interface Answered {
  readonly status: number
  readonly type: string
  readonly text: string
}

/** They would end the session or the group that the others need. */
const ENDING = ['logOut', 'deleteGroup', 'resetGroup', 'leaveGroup', 'revokeDevice']
/** What a schema cannot say of two members, or of the bytes in one: refused with these words. */
const TOGETHER: Readonly<Record<string, RegExp>> = {
  registerAccount: /public key of this scheme/,
  addDevice: /public key of this scheme/,
  addSignatureKey: /public key of this scheme/,
  createGroup: /join_code|leave out room/,
  changePolicy: /join_code/,
  readLog: /Either from_seq or from_epoch/,
  issueTokens: /come in batches/,
  uploadKeyPackages: /At least one KeyPackage/,
  exportAccount: /is not the .next. of a page/,
}
const withInput = OPERATIONS.filter(({ id, parameters, content }) => !ENDING.includes(id) && (parameters.length > 0 || bodyOf(content)))
const withBody = withInput.filter(({ content }) => bodyOf(content))
const byId = (operations: readonly Operation[]) => operations.map((operation) => [operation.id, operation] as const)

function bodyOf(content: Operation['content']) {
  return content['application/json']
}

const ajv = new Ajv2020({ strict: false, validateFormats: false })
ajv.addSchema({ $id: 'api', components: { schemas: COMPONENTS } })
const compiled = new Map(
  withBody.map(({ id, content }) => {
    const schema = JSON.stringify(bodyOf(content)?.schema).replaceAll('"#/components', '"api#/components')
    return [id, ajv.compile(JSON.parse(schema) as object)]
  }),
)
/** Whether openapi.yaml takes this body. */
const isDescribed = ({ id }: Operation, body: unknown): boolean => compiled.get(id)?.(body) === true

/** Requests as openapi.yaml describes them. */
function cases({ parameters, content }: Operation): fc.Arbitrary<Case> {
  const needed = parameters.filter(({ required }) => required === true)
  const optional = parameters.filter(({ required }) => required !== true && required !== undefined)
  const names = new Set(parameters.map(({ name }) => name))
  const texts = [...needed, ...optional].map(({ name, schema }) => [name, valuesOf(schema, 'json').map(String)] as const)
  const values = fc.record(Object.fromEntries(texts), { requiredKeys: needed.map(({ name }) => name), noNullPrototype: true })
  // Half of them are about a group that there is; and none waits for news.
  const ofGroup = fc.boolean().map((known) => ({ ...(known && { groupId: group }), ...(names.has('wait') && { wait: '0' }) }))
  return fc.constantFrom<Encoding>('json', 'cbor').chain((encoding) =>
    fc.record({
      values: fc.tuple(values, ofGroup).map(([made, known]) => ({ ...made, ...known })),
      body: bodyOf(content) ? valuesOf(bodyOf(content)!.schema, encoding) : fc.constant(undefined),
      encoding: fc.constant(encoding),
    }),
  )
}

async function send(operation: Operation, { values, body, encoding }: Case): Promise<Answered> {
  const { headers: fields, rest } = partedHeaders(operation, values)
  const bytes = bodyOf(operation.content) ? undefined : Object.keys(operation.content)[0]
  const address = stage.server.url + addressOf(operation, rest)
  const response = await fetch(address, {
    method: operation.method,
    headers: {
      ...(!operation.anonymous && alice.device.http.credentials(operation.method, address)),
      ...(body !== undefined && { 'content-type': `application/${encoding}` }),
      ...(bytes !== undefined && { 'content-type': bytes }),
      ...fields,
    },
    ...(bytes !== undefined && { body: 'not what is meant by this type' }),
    ...(body !== undefined && { body: encoding === 'cbor' ? new Uint8Array(encode(body)) : JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, type: /"urn:microchat:problem:([a-z-]+)"/.exec(text)?.[1] ?? '', text }
}

function partedHeaders({ parameters }: Operation, values: Record<string, string>) {
  const names = new Set(parameters.filter(({ in: where }) => where === 'header').map(({ name }) => name))
  const entries = Object.entries(values)
  const headers = Object.fromEntries(entries.filter(([name, value]) => names.has(name) && /^[\x20-\x7e]+$/.test(value)))
  return { headers, rest: Object.fromEntries(entries.filter(([name]) => !names.has(name))) }
}

/** What went wrong with the cases, each with what was sent. */
async function complaints(
  operation: Operation,
  made: readonly Case[],
  isWrong: (answer: Answered, sent: Case) => boolean,
): Promise<unknown[]> {
  const answers = await Promise.all(made.map(async (sent) => ({ sent, answer: await send(operation, sent) })))
  return answers.filter(({ sent, answer }) => isWrong(answer, sent)).slice(0, 3)
}

const sampled = <T>(arbitrary: fc.Arbitrary<T>, numRuns = CASES): T[] => fc.sample(arbitrary, { seed: SEED, numRuns })

describe(`requests by the schemas of openapi.yaml (seed ${SEED})`, () => {
  it.each(byId(withInput))('%s takes the form of what it describes', async (_id, operation) => {
    const isWrong = ({ status, type, text }: Answered) =>
      status >= 500 || type === 'too-large' || (type === 'invalid-request' && !TOGETHER[operation.id]?.test(text))
    expect(await complaints(operation, sampled(cases(operation)), isWrong)).toEqual([])
  })

  it.each(byId(withBody))('%s refuses what it does not describe, and never with a 5xx', async (_id, operation) => {
    const json = cases(operation).filter(({ encoding }) => encoding === 'json')
    const made = sampled(
      json.chain((one) => spoilt(one.body).map((body) => ({ ...one, body }))),
      2 * CASES,
    )
    const isWrong = ({ status }: Answered, { body }: Case) => status >= 500 || (status < 300 && !isDescribed(operation, body))
    expect(made.filter(({ body }) => !isDescribed(operation, body)).length).toBeGreaterThan(CASES / 2)
    expect(await complaints(operation, made, isWrong)).toEqual([])
  })

  it.each(byId(withBody))('%s takes no member that it does not describe', async (_id, operation) => {
    const made = sampled(cases(operation), 4).map((one) => ({ ...one, body: { ...(one.body as object), unknown: true } }))
    expect(
      await complaints(operation, made, ({ type, text }) => type !== 'invalid-request' || !text.includes('Unknown members: unknown')),
    ).toEqual([])
  })

  it.each(byId(withInput.filter(({ parameters }) => parameters.some(({ in: where }) => where !== 'header'))))(
    '%s never answers a hostile parameter with a 5xx',
    async (_id, operation) => {
      const names = operation.parameters.filter(({ in: where }) => where !== 'header').map(({ name }) => name)
      const hostile = fc.record({ name: fc.constantFrom(...names), text: hostileText })
      const made = fc.tuple(cases(operation), hostile).map(([one, { name, text }]) => ({ ...one, values: { ...one.values, [name]: text } }))
      expect(await complaints(operation, sampled(made), ({ status }) => status >= 500)).toEqual([])
    },
  )

  it('have not taken away the session that most of them were sent with', async () => {
    const listDevices = OPERATIONS.find(({ id }) => id === 'listDevices')!
    expect((await send(listDevices, { values: {}, body: undefined, encoding: 'json' })).status).toBe(200)
  })
})
