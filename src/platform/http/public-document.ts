import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ZodType } from 'zod'
import { negotiate, encodeBody, type MediaType } from './encode.js'
import { sha256 } from '../../protocol/sha256.js'

/** The bytes of a document, ready to be sent any number of times. */
export interface Representation {
  readonly bytes: Buffer
  readonly contentType: string
  /** A strong one (RFC 9110 §8.8.3): a hash of the bytes. */
  readonly etag: string
}

/** @param content a text counts as UTF-8; bytes are copied, so that the caller's buffer may change */
export function representationOf(content: string | Uint8Array, contentType: string): Representation {
  const bytes = typeof content === 'string' ? Buffer.from(content) : Buffer.from(content)
  return { bytes, contentType, etag: `"${sha256(bytes).toString('base64url').slice(0, 22)}"` }
}

/**
 * Sets status and header fields for stored bytes.
 * @returns what the handler returns as the body; undefined with 304, for a client that has these bytes already (RFC 9110 §13.1.2)
 */
export function answerWith(
  { bytes, contentType, etag }: Representation,
  cacheControl: string,
  request: Pick<FastifyRequest, 'headers'>,
  reply: FastifyReply,
): Buffer | undefined {
  void reply.header('etag', etag).header('cache-control', cacheControl)
  if (isKnown(etag, request.headers['if-none-match'])) {
    void reply.code(304)
    return undefined
  }
  void reply.header('content-type', contentType)
  return bytes
}

function isKnown(etag: string, ifNoneMatch: string | undefined): boolean {
  if (ifNoneMatch === undefined) return false
  return ifNoneMatch.split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === etag)
}

interface Form<S> {
  /** Whether `Accept` chooses between JSON and CBOR. */
  readonly negotiated: boolean
  render(source: S, mediaType: MediaType): Representation
}

/** JSON or CBOR, as the client accepts, by the schema that `@Returns` names. */
export function jsonOrCbor(schema: ZodType): Form<unknown> {
  return {
    negotiated: true,
    render(source, mediaType) {
      const contentType = mediaType === 'application/json' ? 'application/json; charset=utf-8' : mediaType
      return representationOf(encodeBody(schema.parse(source), mediaType), contentType)
    },
  }
}

/** JSON under a media type of its own. */
export function jsonAs(contentType: string): Form<unknown> {
  return { negotiated: false, render: (source) => representationOf(encodeBody(source, 'application/json'), contentType) }
}

/**
 * A document that is the same for everyone, so that no request for it costs more than sending bytes. A handler returns it, and
 * `ReturnsInterceptor` sends it. It is rendered once for each representation and each object that `read` resolves to.
 */
export class PublicDocument<S extends object = object> {
  private rendered: { source: S; byType: Map<MediaType, Representation> } | undefined

  /** @param read asked for every request: resolves to the same object as long as nothing has changed, and asks no database for that */
  constructor(
    private readonly form: Form<S>,
    private readonly cacheControl: string,
    private readonly read: () => Promise<S>,
  ) {}

  async answer(request: FastifyRequest, reply: FastifyReply): Promise<Buffer | undefined> {
    const source = await this.read()
    if (this.form.negotiated) void reply.header('vary', 'accept')
    const mediaType = this.form.negotiated ? negotiate(request.headers.accept) : 'application/json'
    return answerWith(this.representation(source, mediaType), this.cacheControl, request, reply)
  }

  private representation(source: S, mediaType: MediaType): Representation {
    if (this.rendered?.source !== source) this.rendered = { source, byType: new Map() }
    const { byType } = this.rendered
    const known = byType.get(mediaType) ?? this.form.render(source, mediaType)
    byType.set(mediaType, known)
    return known
  }
}
