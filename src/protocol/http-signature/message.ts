/** Field values by lower-case name, as Node gives them; several values are several field lines, in their order. */
export type HttpHeaders = Readonly<Record<string, string | readonly string[] | undefined>>

export interface HttpRequestMessage {
  readonly method: string
  /** Absolute: scheme, authority, path and query, as sent. */
  readonly targetUri: string
  readonly headers: HttpHeaders
}

export interface HttpResponseMessage {
  readonly status: number
  readonly headers: HttpHeaders
  /** What it answers, for components with `;req` (RFC 9421 §2.4). */
  readonly request: HttpRequestMessage
}

export type HttpMessage = HttpRequestMessage | HttpResponseMessage

/** Responses have a status instead of a method. */
export function isRequest(message: HttpMessage): message is HttpRequestMessage {
  return 'method' in message
}
