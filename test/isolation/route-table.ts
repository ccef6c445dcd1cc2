import { METHOD_METADATA, PATH_METADATA, ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js'
import { RequestMethod, type INestApplicationContext } from '@nestjs/common'
import { ModulesContainer } from '@nestjs/core'
import type { ZodType } from 'zod'
import { routeOptionsOf, type RouteOptions } from '../../src/platform/http/route-options.js'

/** The number by which Nest's metadata knows `@Param` (RouteParamtypes.PARAM, which is not exported). */
const PARAM = '5'

export interface Route {
  /** `GET` */
  readonly method: string
  /** `/v1/groups/:groupId` */
  readonly path: string
  /** The names in the path, without the colon. */
  readonly names: readonly string[]
  /** By name; undefined where `@Param` has none, absent where the handler has no `@Param` of that name. */
  readonly schemas: ReadonlyMap<string, ZodType | undefined>
  readonly options: RouteOptions
}

/** Every route of every controller, as its decorators say. */
export function routesOf(app: INestApplicationContext): Route[] {
  const controllers = [...app.get(ModulesContainer).values()].flatMap((module) => [...module.controllers.values()])
  const types = new Set(controllers.flatMap(({ metatype }) => (typeof metatype === 'function' ? [metatype] : [])))
  return [...types].flatMap((type) => {
    const prototype = type.prototype as object
    return Object.getOwnPropertyNames(prototype).flatMap((name) => {
      const handler: unknown = Reflect.getOwnPropertyDescriptor(prototype, name)?.value
      return typeof handler === 'function' && Reflect.hasMetadata(METHOD_METADATA, handler) ? routesOfHandler(type, name, handler) : []
    })
  })
}

/** One for each of its paths. */
function routesOfHandler(type: object, name: string, handler: object): Route[] {
  const prefix = Reflect.getMetadata(PATH_METADATA, type) as string
  const paths = [Reflect.getMetadata(PATH_METADATA, handler) as string | string[]].flat()
  const method = RequestMethod[Reflect.getMetadata(METHOD_METADATA, handler) as number] ?? ''
  const parameters = Object.entries((Reflect.getMetadata(ROUTE_ARGS_METADATA, type, name) ?? {}) as Record<string, Argument>)
  const schemas = parameters.flatMap(([key, { data, schema }]) =>
    key.split(':')[0] === PARAM && data !== undefined ? [[data, schema] as const] : [],
  )
  return paths.map((each) => {
    const path = `/${[prefix, each].flatMap((part) => part.split('/').filter((segment) => segment !== '')).join('/')}`
    return {
      method,
      path,
      names: [...path.matchAll(/:(\w+)/g)].map(([, found = '']) => found),
      schemas: new Map(schemas),
      options: routeOptionsOf(handler),
    }
  })
}

interface Argument {
  data?: string
  schema?: ZodType
}
