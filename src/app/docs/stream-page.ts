import { inline, page, prose } from './html.js'

interface Schema {
  readonly $ref?: string
  readonly allOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly description?: string
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
}
interface Message {
  readonly summary?: string
  readonly description?: string
  readonly payload: Schema
}

/** The parts of docs/asyncapi.yaml that the page shows. */
export interface AsyncApi {
  readonly info: { readonly title: string; readonly version: string; readonly description: string }
  readonly operations: Readonly<Record<string, { readonly summary: string; readonly messages: readonly { readonly $ref: string }[] }>>
  readonly components: { readonly messages: Readonly<Record<string, Message>>; readonly schemas: Readonly<Record<string, Schema>> }
}

/** The description of the stream as a page, without scripts: it is read and not tried out. */
export function streamPage({ info, operations, components }: AsyncApi): string {
  const directions = Object.values(operations).map(({ summary, messages }) => {
    const frames = messages.map(({ $ref }) => nameOf($ref)).map((name) => frame(name, components.messages[name]))
    return `<h2>${inline(summary)}</h2>\n${frames.join('\n')}`
  })
  const shapes = Object.entries(components.schemas).filter(([, schema]) => schema.properties)
  const shared = shapes.map(([name, schema]) => `<h3 id="${name}">${inline(name)}</h3>\n${table(schema)}`)
  const head = `<p><a href="/">MicroChat Server</a> · <a href="/asyncapi.yaml">asyncapi.yaml</a></p>
<h1>${inline(info.title)}</h1>\n${prose(info.description)}`
  return page(`${info.title} ${info.version}`, [head, ...directions, '<h2>Shapes</h2>', ...shared].join('\n'))
}

function frame(name: string, message: Message | undefined): string {
  if (!message) throw new Error(`docs/asyncapi.yaml has no message ${name}`)
  const variants = message.payload.oneOf ?? [message.payload]
  const description = message.description ? prose(message.description) : ''
  return `<h3 id="${name}"><code>${inline(name)}</code></h3>\n<p>${inline(message.summary ?? '')}</p>\n${description}${variants.map(table).join('\n')}`
}

function table({ properties = {}, required = [] }: Schema): string {
  const rows = Object.entries(properties).map(([name, schema]) => {
    const optional = required.includes(name) ? '' : ' (optional)'
    return `<tr><td><code>${inline(name)}</code>${optional}</td><td>${kindOf(schema)}</td><td>${inline(schema.description ?? '')}</td></tr>`
  })
  return `<table>\n<tr><th>key</th><th>value</th><th></th></tr>\n${rows.join('\n')}\n</table>`
}

function kindOf(schema: Schema): string {
  if (schema.const !== undefined) return `<code>${inline(JSON.stringify(schema.const))}</code>`
  if (schema.enum) return schema.enum.map((value) => `<code>${inline(String(value))}</code>`).join(', ')
  const ref = schema.$ref ?? schema.allOf?.[0]?.$ref
  if (ref) return KINDS[nameOf(ref)] ?? `<a href="#${nameOf(ref)}">${nameOf(ref)}</a>`
  return schema.items ? `list of ${kindOf(schema.items)}` : inline(schema.type ?? 'any')
}

const KINDS: Readonly<Record<string, string>> = { Whole: 'whole number', Bytes: 'byte string' }

function nameOf(ref: string): string {
  return ref.split('/').at(-1) ?? ref
}
