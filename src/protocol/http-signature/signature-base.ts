import { serializeInnerList, serializeItem, type InnerList } from 'structured-headers'
import { componentValue } from './components.js'
import type { HttpMessage } from './message.js'

export type SignatureBase = { readonly kind: 'base'; readonly bytes: Uint8Array } | { readonly kind: 'unusable'; readonly why: string }

/** The covered components by their identifiers, as they are written in the input: `"@path";req`. */
export function coveredBy([components]: InnerList): string[] {
  return components.map((component) => serializeItem(component))
}

/** What is signed: one line per covered component, and the input itself (RFC 9421 §2.5). Never throws. */
export function signatureBase(message: HttpMessage, input: InnerList): SignatureBase {
  const lines: string[] = []
  const seen = new Set<string>()
  for (const [name, parameters] of input[0]) {
    if (typeof name !== 'string' || name === '@signature-params') return unusable('a component has no usable name')
    const identifier = serializeItem([name, parameters])
    if (seen.has(identifier)) return unusable(`the component ${identifier} is covered twice`)
    seen.add(identifier)
    const value = componentValue(message, { name, parameters })
    if (value === undefined) return unusable(`the message has no component ${identifier}`)
    if (/[\r\n]/.test(value)) return unusable(`the component ${identifier} has a line break`)
    lines.push(`${identifier}: ${value}\n`)
  }
  return { kind: 'base', bytes: Buffer.from(`${lines.join('')}"@signature-params": ${serializeInnerList(input)}`, 'latin1') }
}

function unusable(why: string): SignatureBase {
  return { kind: 'unusable', why }
}
