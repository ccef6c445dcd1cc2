import { parseDictionary, type InnerList, type Parameters } from 'structured-headers'
import type { HttpHeaders } from './message.js'

/** One signature of a message: what it says it covers, and its octets (RFC 9421 §4). */
export interface FoundSignature {
  readonly label: string
  readonly input: InnerList
  readonly signature: Uint8Array
}

export type SignatureFields =
  | { readonly kind: 'found'; readonly signatures: readonly FoundSignature[] }
  | { readonly kind: 'none' }
  | { readonly kind: 'malformed'; readonly why: string }

/** The most that both fields may have together; they are read before the sender is known. Ours have some 500. */
export const MAX_SIGNATURE_CHARACTERS = 2_048
/** Ours, and those that proxies on the way may add. */
export const MAX_SIGNATURES = 4

/** All signatures of a message, by `Signature-Input` and `Signature`. Never throws. */
export function signatureFields(headers: HttpHeaders): SignatureFields {
  const [inputs, values] = [combined(headers, 'signature-input'), combined(headers, 'signature')]
  if (inputs === undefined && values === undefined) return { kind: 'none' }
  if (inputs === undefined || values === undefined) return malformed('Signature-Input and Signature go together')
  if (inputs.length + values.length > MAX_SIGNATURE_CHARACTERS) return malformed('the signature fields are too long')
  try {
    const [signatures, described] = [parseDictionary(values), parseDictionary(inputs)]
    if (Math.max(signatures.size, described.size) > MAX_SIGNATURES) return malformed('there are too many signatures')
    const found = [...described].flatMap(([label, member]) => {
      const value = signatures.get(label)?.[0]
      return isInnerList(member) && isBytes(value) ? [{ label, input: member, signature: new Uint8Array(value) }] : []
    })
    return found.length > 0 ? { kind: 'found', signatures: found } : malformed('no signature is complete')
  } catch {
    return malformed('the signature fields are no dictionaries')
  }
}

/** A parameter of a signature, if it is a string. */
export function textParameter([, parameters]: InnerList, name: string): string | undefined {
  const value = parameters.get(name)
  return typeof value === 'string' ? value : undefined
}

/** A parameter of a signature, if it is an integer. */
export function integerParameter([, parameters]: InnerList, name: string): number | undefined {
  const value = parameters.get(name)
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined
}

function combined(headers: HttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return value === undefined || typeof value === 'string' ? value : value.join(', ')
}

function isInnerList(member: readonly [unknown, Parameters]): member is InnerList {
  return Array.isArray(member[0])
}

function isBytes(value: unknown): value is ArrayBuffer {
  return value instanceof ArrayBuffer
}

function malformed(why: string): SignatureFields {
  return { kind: 'malformed', why }
}
