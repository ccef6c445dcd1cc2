import { z } from 'zod'
import type { ProblemType } from '../../platform/http/problem-types.js'
import { PROBLEM_CHAPTERS } from './problem-catalogue.js'

const INTRODUCTION = `# Errors

Generated from the problem classes by \`npm run cli -- errors-docs\`; edit those.

Every refusal is a problem document ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)), as \`application/problem+json\`, or in CBOR where
\`Accept\` prefers \`application/cbor\`. **Switch on \`type\`.** It is \`urn:microchat:problem:\` and a name of this page. The names are stable;
\`detail\` is for people and can change. A \`type\` that you do not know (of a later version, or of a group’s hub elsewhere) is treated by its
status. The types are URNs and not web addresses, because a problem can be passed on by one provider for another and has to mean the same
everywhere; a running server shows this page at \`/docs/errors\`, with each name as a fragment (\`/docs/errors#stale-epoch\`).

\`\`\`json
{
  "type": "urn:microchat:problem:rate-limited",
  "title": "Too Many Requests",
  "status": 429,
  "detail": "Too many requests.",
  "instance": "urn:request:0b6f7c3e-5a0d-4a52-9a3c-2f1a8d2f6f5e",
  "retry_after": 12
}
\`\`\`

\`instance\` has the request id, which is also the \`X-Request-Id\` of the answer and is in the server’s log.

**Retry** says whether it is of use to try again: _no_, the same request is refused again; _wait_, the same request can succeed after
\`Retry-After\` seconds; _redo_, do what the last column says first; then the same or a corrected request can succeed. A connection that was lost before the
answer came, and 502 or 504 of a proxy, leave open what happened: send the same bytes again.

[\`openapi.yaml\`](../openapi.yaml) lists for each operation the types that it can answer.
`

/** docs/errors.md. */
export function errorsPage(): string {
  const chapters = PROBLEM_CHAPTERS.map(([title, types]) => `## ${title}\n\n${Object.entries(types).map(entry).join('\n')}`)
  return `${[INTRODUCTION, ...chapters].join('\n').trimEnd()}\n`
}

/** A heading for each, so that a fragment leads to it. */
function entry([name, type]: [string, ProblemType]): string {
  const members = Object.entries(type.members ?? {}).map(([member, schema]) => memberLine(member, schema))
  const lines = [`**${type.status}** · retry: _${type.retry}_`, '', type.when, '', `→ ${type.client}`, '']
  return [`### ${name}`, '', ...lines, ...(members.length > 0 ? [...members, ''] : [])].join('\n')
}

function memberLine(name: string, schema: z.ZodType): string {
  const json = z.toJSONSchema(schema, { io: 'output', unrepresentable: 'any' })
  const description = typeof json.description === 'string' ? `: ${json.description}` : ''
  const optional = schema.safeParse(undefined).success ? ', optional' : ''
  return `- \`${name}\` (${kindOf(json)}${optional})${description}`
}

interface Json {
  readonly type?: unknown
  readonly enum?: unknown
  readonly contentEncoding?: unknown
  readonly items?: unknown
  readonly properties?: Readonly<Record<string, unknown>>
}

function kindOf(json: Json): string {
  if (Array.isArray(json.enum)) return json.enum.map((value) => `\`${String(value)}\``).join(' or ')
  if (json.contentEncoding !== undefined) return 'bytes'
  return json.type === 'array' ? listOf(json.items as Json | undefined) : String(json.type)
}

/** `list of {path, message}`, where the items have named members. */
function listOf(items: Json | undefined): string {
  const members = Object.keys(items?.properties ?? {})
  return members.length > 0 ? `list of {${members.join(', ')}}` : 'list'
}
