import fc from 'fast-check'
import { COMPONENTS, type Schema } from './operations.js'

/** How bytes are written: in JSON base64url, in CBOR byte strings. */
export type Encoding = 'json' | 'cbor'

const MANY = 3
/** Beyond what is needed: bounds are tried at both ends, not with megabytes. */
const EXTRA = 24

/** Values that the schema takes, its bounds among them. */
export function valuesOf(schema: Schema, encoding: Encoding): fc.Arbitrary<unknown> {
  const { $ref, anyOf, oneOf, allOf, type } = schema
  if ($ref !== undefined) return valuesOf(resolved($ref), encoding)
  if ('const' in schema) return fc.constant(schema.const)
  if (schema.enum) return fc.constantFrom(...schema.enum)
  const choices = anyOf ?? oneOf
  if (choices) return fc.oneof(...choices.map((each) => valuesOf(each, encoding)))
  if (allOf?.length === 1) return valuesOf(allOf[0] as Schema, encoding)
  if (type === 'object') return objects(schema, encoding)
  if (type === 'array') return arrays(schema, encoding)
  if (type === 'integer' || type === 'number') return integers(schema)
  if (type === 'boolean') return fc.boolean()
  if (type === 'null') return fc.constant(null)
  if (type === 'string') return schema.contentEncoding === 'base64url' ? bytes(schema, encoding) : strings(schema)
  throw new Error(`No values for ${JSON.stringify(schema)}`)
}

export function resolved($ref: string): Schema {
  const found = COMPONENTS[$ref.split('/').at(-1) ?? '']
  if (!found) throw new Error(`There is no ${$ref}`)
  return found
}

function objects({ properties = {}, required = [] }: Schema, encoding: Encoding): fc.Arbitrary<unknown> {
  const members = Object.fromEntries(Object.entries(properties).map(([name, member]) => [name, valuesOf(member, encoding)]))
  return fc.record(members, { requiredKeys: required.filter((name) => name in members), noNullPrototype: true })
}

function arrays({ items = {}, minItems = 0, maxItems = Number.POSITIVE_INFINITY }: Schema, encoding: Encoding): fc.Arbitrary<unknown> {
  return fc.array(valuesOf(items, encoding), { minLength: minItems, maxLength: Math.min(maxItems, minItems + MANY) })
}

function integers({
  exclusiveMinimum,
  minimum = (exclusiveMinimum ?? -(2 ** 53)) + 1,
  maximum = 2 ** 53 - 1,
}: Schema): fc.Arbitrary<number> {
  const small = fc.maxSafeInteger().map((any) => minimum + (Math.abs(any) % Math.min(1_000, maximum - minimum + 1)))
  return fc.oneof(fc.constantFrom(minimum, maximum), small)
}

function strings({ pattern, minLength = 0, maxLength = Number.POSITIVE_INFINITY }: Schema): fc.Arbitrary<string> {
  const fits = (text: string) => text.length >= minLength && text.length <= maxLength
  if (pattern !== undefined) return matching(pattern).filter(fits)
  return fc.string({ unit: 'grapheme', minLength, maxLength: Math.min(maxLength, minLength + EXTRA) }).filter(fits)
}

const made = new Map<string, fc.Arbitrary<string>>()

/** Long quantifiers make it expensive to prepare, and many members have the same pattern. */
function matching(pattern: string): fc.Arbitrary<string> {
  const known = made.get(pattern) ?? fc.stringMatching(new RegExp(pattern), { size: 'small' })
  made.set(pattern, known)
  return known
}

function bytes({ minLength = 0, maxLength = Number.POSITIVE_INFINITY }: Schema, encoding: Encoding): fc.Arbitrary<unknown> {
  const least = Math.ceil((minLength * 3) / 4)
  const most = Math.min(Math.floor((maxLength * 3) / 4), least + EXTRA)
  const raw = fc.uint8Array({ minLength: least, maxLength: most }).map((each) => new Uint8Array(each))
  const shown = raw.map((each) => ({ each, text: Buffer.from(each).toString('base64url') }))
  return shown
    .filter(({ text }) => text.length >= minLength && text.length <= maxLength)
    .map(({ each, text }) => (encoding === 'cbor' ? each : text))
}

const HOSTILE = ['', ' ', '\0', 'a\0b', '\ud800', '../..', '{}', 'constructor', "' OR 1=1 --", 'é'.repeat(300), 'A'.repeat(5_000)]
const WRONG: readonly unknown[] = [...HOSTILE, null, true, -1, 0, 1.5, 2 ** 53, 1e300, [], [[]], {}, { a: 1 }]

/** The same with one thing wrong, somewhere: another value, a member that is not known, or one that is missing. */
export function spoilt(value: unknown): fc.Arbitrary<unknown> {
  const places = placesIn(value)
  return fc
    .record({
      place: fc.constantFrom(...places),
      wrong: fc.constantFrom(...WRONG),
      how: fc.constantFrom('replace', 'replace', 'add', 'drop'),
    })
    .map(({ place, wrong, how }) => altered(value, place, how, wrong))
}

type Place = readonly (string | number)[]

function placesIn(value: unknown, at: Place = []): Place[] {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return [at]
  return [at, ...Object.entries(value).flatMap(([key, member]) => placesIn(member, [...at, Array.isArray(value) ? Number(key) : key]))]
}

function altered(value: unknown, [key, ...rest]: Place, how: string, wrong: unknown): unknown {
  if (key === undefined) {
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
    return how === 'add' && isObject ? { ...value, unknown: wrong } : wrong
  }
  if (Array.isArray(value)) return value.map((member: unknown, index) => (index === key ? altered(member, rest, how, wrong) : member))
  const entries = Object.entries(value as object)
  if (how === 'drop' && rest.length === 0) return Object.fromEntries(entries.filter(([name]) => name !== key))
  return Object.fromEntries(entries.map(([name, member]) => [name, name === key ? altered(member, rest, how, wrong) : member]))
}

/** Values of a parameter: any text that an address may have. */
export const hostileText: fc.Arbitrary<string> = fc.constantFrom(...HOSTILE.filter((text) => text.isWellFormed()))
