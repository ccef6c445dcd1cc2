import { FASTIFY_ROUTE_CONFIG_METADATA } from '@nestjs/platform-fastify/constants.js'
import { createParamDecorator, type ExecutionContext } from '@nestjs/common'
import type { Priority } from '../admission/pressure.js'
import type { Config } from '../config/config.js'
import { UnsupportedMediaType } from './problem.js'

/** What a route declares to the layers before Nest's handlers; Fastify keeps it as the route's config. */
export interface RouteOptions {
  /** A body of type message/mls is taken as this field. */
  messageField?: string
  /** The route takes no other type; for use with `messageField`. */
  messageOnly?: boolean
  /** Takes a body of one of these types, as bytes. */
  bytes?: readonly string[]
  /** No access log line, for routes whose callers must not be observed. */
  unlogged?: boolean
  /** A route for other providers: takes a body of type application/mimi, as bytes. */
  mimi?: boolean
  /** The route is also answered by a process that only runs jobs, and under every load. */
  operational?: boolean
  /** Takes no access token. */
  anonymous?: boolean
  /** What its body may have at most; `small` where nothing is said. */
  body?: BodySize
  /** When it is given up under overload, if not by its method. */
  priority?: Priority
}

/**
 * `tiny`: a few names. `small`: names, keys and signatures. `message`: one message of MAX_MESSAGE_BYTES, or the same in base64url.
 * `large`: Commits, trees and uploads, up to MAX_BODY_BYTES.
 */
export type BodySize = 'tiny' | 'small' | 'message' | 'large'

/** @returns bytes */
export function bodyLimitOf(size: BodySize, config: Pick<Config, 'MAX_MESSAGE_BYTES' | 'MAX_BODY_BYTES'>): number {
  const sizes = {
    tiny: 4_096,
    small: 65_536,
    message: Math.ceil((config.MAX_MESSAGE_BYTES * 4) / 3) + 16_384,
    large: config.MAX_BODY_BYTES,
  }
  return Math.min(sizes[size], config.MAX_BODY_BYTES)
}

/** Decorates a method, or a class for all of its methods. */
export function routeOption(option: RouteOptions): MethodDecorator & ClassDecorator {
  return (target: object, _key?: string | symbol, descriptor?: PropertyDescriptor) => {
    const handlers = descriptor ? [descriptor.value as unknown] : handlersOf(target)
    for (const handler of handlers) {
      if (typeof handler !== 'function') throw new TypeError('A route option decorates a method or a controller')
      const before: unknown = Reflect.getMetadata(FASTIFY_ROUTE_CONFIG_METADATA, handler)
      Reflect.defineMetadata(FASTIFY_ROUTE_CONFIG_METADATA, Object.assign({}, before, option), handler)
    }
  }
}

function handlersOf(controller: object): unknown[] {
  const prototype: unknown = 'prototype' in controller ? controller.prototype : undefined
  if (typeof prototype !== 'object' || prototype === null) throw new TypeError('A route option decorates a method or a controller')
  const own = Object.entries(Object.getOwnPropertyDescriptors(prototype))
  return own.filter(([name]) => name !== 'constructor').map(([, { value }]) => value as unknown)
}

/** Also takes one MLSMessage as it is (message/mls, RFC 9420 §17.10); the handler sees `{ [field]: bytes }`. */
export const AcceptsMessage = (field: string) => routeOption({ messageField: field })

/** The same, where JSON and CBOR are refused (415). */
export const TakesMessage = (field: string) => routeOption({ messageField: field, messageOnly: true })

/** Takes application/mimi, which the handler sees as bytes. */
export const TakesMimi = () => routeOption({ mimi: true })

/** Takes these of the types in `BYTE_TYPES`; the handler sees the bytes. */
export const TakesBytes = (...types: readonly string[]) => routeOption({ bytes: types })

export const Unlogged = () => routeOption({ unlogged: true })
export const TakesBody = (size: BodySize) => routeOption({ body: size })
export const Prioritized = (priority: Priority) => routeOption({ priority })

/** What the decorators above have left on a handler; empty for one without them. */
export function routeOptionsOf(handler: object): RouteOptions {
  const options: RouteOptions | undefined = Reflect.getMetadata(FASTIFY_ROUTE_CONFIG_METADATA, handler)
  return options ?? {}
}

/** The body of a route with `@TakesBytes`, with its media type. */
export interface TypedBytes {
  readonly type: string
  readonly bytes: Uint8Array
}

export const BodyBytes = createParamDecorator((_data: unknown, context: ExecutionContext): TypedBytes => {
  const { body, headers } = context.switchToHttp().getRequest<{ body?: unknown; headers: { 'content-type'?: string } }>()
  // JSON and CBOR are read everywhere; here they are as wrong as anything else.
  if (!(body instanceof Uint8Array)) throw new UnsupportedMediaType('This resource does not take a body of this type, or an empty one.')
  return { type: (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '', bytes: body }
})
