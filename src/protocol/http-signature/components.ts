import { parseDictionary, serializeDictionary, serializeInnerList, serializeItem, type Item, type Parameters } from 'structured-headers'
import { isRequest, type HttpHeaders, type HttpMessage, type HttpRequestMessage } from './message.js'

/** A component identifier of a signature's input: a name and parameters (RFC 9421 §2). */
export interface Component {
  readonly name: string
  readonly parameters: Parameters
}

/** Dictionaries that `;sf` and `;key` may be used on here; a field of unknown type cannot be serialized strictly (RFC 9421 §2.1.1). */
const DICTIONARY_FIELDS = new Set(['content-digest', 'repr-digest', 'want-content-digest', 'signature-input', 'signature', 'example-dict'])

const PARAMETERS = new Set(['sf', 'key', 'bs', 'req', 'name'])

/** The component's value in the message; undefined if the message has none, or none that can be told for certain. */
export function componentValue(message: HttpMessage, { name, parameters }: Component): string | undefined {
  if ([...parameters.keys()].some((parameter) => !PARAMETERS.has(parameter))) return undefined
  const source = parameters.get('req') === true ? ofRequest(message) : parameters.has('req') ? undefined : message
  if (source === undefined) return undefined
  if (name.startsWith('@')) return derivedValue(source, name, parameters)
  return parameters.has('name') ? undefined : fieldValue(source.headers, name, parameters)
}

function ofRequest(message: HttpMessage): HttpRequestMessage | undefined {
  return isRequest(message) ? undefined : message.request
}

/** RFC 9421 §2.2. */
function derivedValue(message: HttpMessage, name: string, parameters: Parameters): string | undefined {
  const own = [...parameters.keys()].filter((parameter) => parameter !== 'req')
  if (own.some((parameter) => !(name === '@query-param' && parameter === 'name'))) return undefined
  if (!isRequest(message)) return name === '@status' ? String(message.status) : undefined
  const url = targetOf(message)
  return url && requestValue(message, url, name, parameters.get('name'))
}

/** By message, which never changes: each component of it asks for the same. */
const targets = new WeakMap<HttpRequestMessage, URL | 'none'>()

function targetOf(message: HttpRequestMessage): URL | undefined {
  let target = targets.get(message)
  if (target === undefined) {
    target = URL.parse(message.targetUri) ?? 'none'
    targets.set(message, target)
  }
  return target === 'none' ? undefined : target
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
  return lines.map((line) => line.replace(/[ \t]*\r?\n[ \t]+/g, ' ').replace(/^[ \t]+|[ \t]+$/g, ''))
}
