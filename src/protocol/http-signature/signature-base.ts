import {
  parseDictionary,
  serializeDictionary,
  serializeInnerList,
  serializeItem,
  type InnerList,
  type Item,
  type Parameters,
} from 'structured-headers'
import { isRequest, type HttpHeaders, type HttpMessage, type HttpRequestMessage } from './message.js'

export type SignatureBase = { readonly kind: 'base'; readonly bytes: Uint8Array } | { readonly kind: 'unusable'; readonly why: string }

/** The covered components by their identifiers, as they are written in the input: `"@path";req`. */
export function coveredBy([components]: InnerList): string[] {
  return components.map((component) => serializeItem(component))
}

/** What is signed: one line per covered component, and the input itself (RFC 9421 §2.5). Never throws. */
export function signatureBase(message: HttpMessage, input: InnerList): SignatureBase {
  const target = targetOf(message)
  const lines: string[] = []
  const seen = new Set<string>()
  for (const [name, parameters] of input[0]) {
    if (typeof name !== 'string' || name === '@signature-params') return unusable('a component has no usable name')
    const identifier = serializeItem([name, parameters])
    if (seen.has(identifier)) return unusable(`the component ${identifier} is covered twice`)
    seen.add(identifier)
    const value = componentValue(message, { name, parameters }, target)
    if (value === undefined) return unusable(`the message has no component ${identifier}`)
    if (/[\r\n]/.test(value)) return unusable(`the component ${identifier} has a line break`)
    lines.push(`${identifier}: ${value}\n`)
  }
  return { kind: 'base', bytes: Buffer.from(`${lines.join('')}"@signature-params": ${serializeInnerList(input)}`, 'latin1') }
}

function unusable(why: string): SignatureBase {
  return { kind: 'unusable', why }
}

/** A component identifier of a signature's input: a name and parameters (RFC 9421 §2). */
export interface Component {
  readonly name: string
  readonly parameters: Parameters
}

/** Dictionaries that `;sf` and `;key` may be used on here; a field of unknown type cannot be serialized strictly (RFC 9421 §2.1.1). */
const DICTIONARY_FIELDS = new Set(['content-digest', 'repr-digest', 'want-content-digest', 'signature-input', 'signature', 'example-dict'])

const PARAMETERS = new Set(['sf', 'key', 'bs', 'req', 'name'])

/** The component's value in the message; undefined if the message has none, or none that is unambiguous. */
export function componentValue(
  message: HttpMessage,
  { name, parameters }: Component,
  target: URL | undefined = targetOf(message),
): string | undefined {
  if ([...parameters.keys()].some((parameter) => !PARAMETERS.has(parameter))) return undefined
  const source = parameters.get('req') === true ? ofRequest(message) : parameters.has('req') ? undefined : message
  if (source === undefined) return undefined
  if (name.startsWith('@')) return derivedValue(source, target, name, parameters)
  return parameters.has('name') ? undefined : fieldValue(source.headers, name, parameters)
}

/** The address of a request, or of the request that a response answers: parsed once for all components. */
function targetOf(message: HttpMessage): URL | undefined {
  return URL.parse((isRequest(message) ? message : message.request).targetUri) ?? undefined
}

function ofRequest(message: HttpMessage): HttpRequestMessage | undefined {
  return isRequest(message) ? undefined : message.request
}

/** RFC 9421 §2.2. */
function derivedValue(message: HttpMessage, target: URL | undefined, name: string, parameters: Parameters): string | undefined {
  const own = [...parameters.keys()].filter((parameter) => parameter !== 'req')
  if (own.some((parameter) => !(name === '@query-param' && parameter === 'name'))) return undefined
  if (!isRequest(message)) return name === '@status' ? String(message.status) : undefined
  return target && requestValue(message, target, name, parameters.get('name'))
}

function requestValue({ method, targetUri }: HttpRequestMessage, url: URL, name: string, parameter: unknown): string | undefined {
  switch (name) {
    case '@method':
      return method
    case '@target-uri':
      return targetUri
    case '@authority':
      return url.host // in lower case and without a default port, as WHATWG writes it
    case '@scheme':
      return url.protocol.slice(0, -1)
    case '@request-target':
      return url.pathname + url.search
    case '@path':
      return url.pathname
    case '@query':
      return url.search || '?'
    case '@query-param':
      return typeof parameter === 'string' ? queryParameter(url, parameter) : undefined
    default:
      return undefined
  }
}

/** RFC 9421 §2.2.8: by its encoded name, and only where it occurs once. */
function queryParameter(url: URL, encodedName: string): string | undefined {
  const found = [...url.searchParams].filter(([name]) => encodeURIComponent(name) === encodedName)
  const [only, ...more] = found
  return only === undefined || more.length > 0 ? undefined : encodeURIComponent(only[1])
}

/** RFC 9421 §2.1. */
function fieldValue(headers: HttpHeaders, name: string, parameters: Parameters): string | undefined {
  const lines = linesOf(headers, name)
  if (lines.length === 0 || name !== name.toLowerCase()) return undefined
  const [strict, member, binary] = [parameters.get('sf'), parameters.get('key'), parameters.get('bs')]
  if (binary !== undefined) {
    const alone = binary === true && strict === undefined && member === undefined
    return alone ? lines.map((line) => `:${Buffer.from(line, 'latin1').toString('base64')}:`).join(', ') : undefined
  }
  const combined = lines.join(', ')
  if (strict === undefined && member === undefined) return combined
  return DICTIONARY_FIELDS.has(name) ? dictionaryValue(combined, strict, member) : undefined
}

/** A field is the sender's, and may be read once for each answer to it. */
const MAX_DICTIONARY_CHARACTERS = 2_048

function dictionaryValue(text: string, strict: unknown, member: unknown): string | undefined {
  if (text.length > MAX_DICTIONARY_CHARACTERS) return undefined
  try {
    const dictionary = parseDictionary(text)
    if (member === undefined) return strict === true ? serializeDictionary(dictionary) : undefined
    const found = typeof member === 'string' ? dictionary.get(member) : undefined
    if (found === undefined) return undefined
    const [value, parameters] = found
    return Array.isArray(value) ? serializeInnerList([value, parameters]) : serializeItem([value, parameters] as Item)
  } catch {
    return undefined // not a dictionary
  }
}

function linesOf(headers: HttpHeaders, name: string): string[] {
  const value = Object.hasOwn(headers, name) ? headers[name] : undefined
  const lines = value === undefined ? [] : typeof value === 'string' ? [value] : value
  return lines.map((line) => withoutOuterBlanks(unfolded(line)))
}

/** A value on several lines, each but the first of which begins with a blank (obs-fold, RFC 9112 §5.2), as one line. */
function unfolded(line: string): string {
  return line
    .split(/\r?\n(?=[ \t])/)
    .map(withoutOuterBlanks)
    .join(' ')
}

/** Each character is looked at once: a pattern for blanks at the end would look at every run of them again from each of its places. */
function withoutOuterBlanks(text: string): string {
  let [start, end] = [0, text.length]
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}
