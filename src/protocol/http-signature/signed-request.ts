import { contentDigest } from './content-digest.js'
import type { HttpRequestMessage } from './message.js'
import {
  claimedSignature,
  fromField,
  sign,
  type ClaimedSignature,
  type FaultySignature,
  type SignatureTimes,
  type SigningKey,
} from './profile.js'

const TAG = 'mimi-request'
const ALWAYS = ['"@method"', '"@authority"', '"@path"', '"@query"', '"from"', '"mimi-target"']
const WITH_BODY = ['"content-digest"', '"content-type"']

/** A body and its media type. */
export interface Content {
  readonly body: Uint8Array
  readonly contentType: string
}

export interface UnsignedRequest {
  readonly method: string
  readonly targetUri: string
  /** Domain of the provider that it is for, which need not be the host that answers for it. */
  readonly target: string
  readonly content?: Content
}

/** All fields of a request that its signature needs, and the signature. */
export function signRequest(
  { method, targetUri, target, content }: UnsignedRequest,
  key: SigningKey,
  times: SignatureTimes,
): Record<string, string> {
  const headers: Record<string, string> = { from: fromField(key.domain), 'mimi-target': target, ...contentFields(content) }
  const components = content ? [...ALWAYS, ...WITH_BODY] : ALWAYS
  return { ...headers, ...sign({ method, targetUri, headers }, components, TAG, key, times) }
}

/** What a request claims by its signature. @param hasBody one that has not even a digest is no claim about it */
export function requestSignature(message: HttpRequestMessage, hasBody: boolean): ClaimedSignature | FaultySignature {
  return claimedSignature(message, hasBody ? [...ALWAYS, ...WITH_BODY] : ALWAYS, TAG)
}

/** `Content-Digest` and `Content-Type` of a body; nothing without one. */
export function contentFields(content: Content | undefined): Record<string, string> {
  return content ? { 'content-digest': contentDigest(content.body), 'content-type': content.contentType } : {}
}
