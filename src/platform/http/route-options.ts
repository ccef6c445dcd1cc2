import { FASTIFY_ROUTE_CONFIG_METADATA } from '@nestjs/platform-fastify/constants.js'

/** What a route declares to the layers before Nest's handlers; Fastify keeps it as the route's config. */
export interface RouteOptions {
  /** A body of type message/mls is taken as this field. */
  messageField?: string
  /** With `messageField`: and of no other type. */
  messageOnly?: boolean
  /** Takes a body of one of these types, as bytes. */
  bytes?: readonly string[]
  /** No access log line, for routes whose callers must not be observed. */
  unlogged?: boolean
  /** For other providers: takes a body of type application/mimi, as bytes. */
  mimi?: boolean
  /** Also answered by a process that only runs jobs. */
  operational?: boolean
}

function routeOption(option: RouteOptions): MethodDecorator {
  return (_target, _key, descriptor) => {
    const handler = descriptor.value
    if (typeof handler !== 'function') throw new TypeError('A route option decorates a method')
    const before: unknown = Reflect.getMetadata(FASTIFY_ROUTE_CONFIG_METADATA, handler)
    Reflect.defineMetadata(FASTIFY_ROUTE_CONFIG_METADATA, Object.assign({}, before, option), handler)
  }
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
export const Operational = () => routeOption({ operational: true })

export function routeOptionsOf(handler: object): RouteOptions {
  const options: RouteOptions | undefined = Reflect.getMetadata(FASTIFY_ROUTE_CONFIG_METADATA, handler)
  return options ?? {}
}
