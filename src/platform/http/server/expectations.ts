/** One complaint of a schema: zod's, or any other of Standard Schema, which has the message only. */
export interface Issue {
  readonly message: string
  readonly path?: readonly unknown[] | undefined
  readonly params?: unknown
  readonly code?: unknown
}

const KINDS: Readonly<Record<string, string>> = {
  array: 'a list',
  object: 'an object',
  string: 'a text',
  int: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  bigint: 'a whole number',
}
const UNITS: Readonly<Record<string, string>> = { array: ' items', string: ' characters' }

/** What was expected there, in words of this API and not of the library that found it. Messages that this project's schemas set stay as they are. */
export function expectationOf(issue: Issue): string {
  const known = issue as Partial<Record<string, unknown>> & Issue
  switch (known.code) {
    case 'invalid_type':
      return `${known.message.endsWith('received undefined') ? 'Missing: expected' : 'Expected'} ${kind(known['expected'])}`
    case 'unrecognized_keys':
      return `Unknown members: ${texts(known['keys']).join(', ')}`
    case 'invalid_value':
      return `Expected ${texts(known['values']).join(' or ')}`
    case 'too_small':
      return `Expected ${known['inclusive'] === false ? 'more than' : 'at least'} ${bound(known['minimum'], known['origin'])}`
    case 'too_big':
      return `Expected ${known['inclusive'] === false ? 'less than' : 'at most'} ${bound(known['maximum'], known['origin'])}`
    case 'invalid_union':
      return alternatives(known['errors'])
    case 'invalid_format':
      return known.message.startsWith('Invalid') ? 'Expected another form: see the description of this member' : known.message
    default:
      return known.message
  }
}

function alternatives(errors: unknown): string {
  const groups = Array.isArray(errors) ? errors.flatMap((one: unknown) => (Array.isArray(one) ? one.slice(0, 1) : [])) : []
  const forms = groups.map((one: Issue) => expectationOf(one).replace(/^(Missing: expected|Expected) /, ''))
  return forms.length === 0 ? 'Expected another form: see the description of this member' : `Expected ${[...new Set(forms)].join(' or ')}`
}

function kind(expected: unknown): string {
  return KINDS[String(expected)] ?? String(expected)
}

function bound(value: unknown, origin: unknown): string {
  return `${String(value)}${UNITS[String(origin)] ?? ''}`
}

function texts(values: unknown): string[] {
  return Array.isArray(values) ? values.map(String) : []
}
