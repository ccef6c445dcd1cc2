import type { HttpRequestMessage, HttpResponseMessage } from './message.js'
import {
  claimedSignature,
  fromField,
  OF_SIGNED_REQUEST,
  sign,
  type ClaimedSignature,
  type FaultySignature,
  type SignatureTimes,
  type SigningKey,
} from './profile.js'
import { contentFields, type Content } from './signed-request.js'

const TAG = 'mimi-response'
const ALWAYS = ['"@status"', '"from"', '"mimi-target"']
const WITH_BODY = ['"content-digest"', '"content-type"']
/** What it answers. The request's own signature is among it, and with that its nonce: no answer fits another request. */
const OF_REQUEST = ['"@method";req', '"@authority";req', '"@path";req', '"@query";req']

export interface UnsignedResponse {
  readonly status: number
  /** Domain of the provider that asked; empty where that is unknown. */
  readonly target: string
  readonly content?: Content
  readonly request: HttpRequestMessage
}

/** All fields of a response that its signature needs, and the signature. */
export function signResponse(
  { status, target, content, request }: UnsignedResponse,
  key: SigningKey,
  times: SignatureTimes,
): Record<string, string> {
  const headers: Record<string, string> = { from: fromField(key.domain), 'mimi-target': target, ...contentFields(content) }
  const components = neededOf(request, content !== undefined)
  return { ...headers, ...sign({ status, headers, request }, components, TAG, key, times) }
}

/** What a response claims by its signature. @param hasBody a body has to be covered by its digest */
export function responseSignature(message: HttpResponseMessage, hasBody: boolean): ClaimedSignature | FaultySignature {
  return claimedSignature(message, neededOf(message.request, hasBody), TAG)
}

function neededOf(request: HttpRequestMessage, hasBody: boolean): string[] {
  return [
    ...ALWAYS,
    ...(hasBody ? WITH_BODY : []),
    ...OF_REQUEST,
    ...(request.headers['content-digest'] === undefined ? [] : ['"content-digest";req']),
    ...(request.headers['signature'] === undefined ? [] : [OF_SIGNED_REQUEST]),
  ]
}
