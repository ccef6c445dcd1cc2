import type { INestApplicationContext } from '@nestjs/common'
import { HTTP_CODE_METADATA, METHOD_METADATA } from '@nestjs/common/constants.js'
import { RequestMethod } from '@nestjs/common'
import { ModulesContainer } from '@nestjs/core'
import { refusedBy } from '../../platform/http/refuses.js'
import { routeOptionsOf, type RouteOptions } from '../../platform/http/route-options.js'

/** Where @ApiOperation keeps its options; the name is a constant inside @nestjs/swagger. */
const API_OPERATION = 'swagger/apiOperation'

/** What decorators say about a handler that @nestjs/swagger does not look at. */
export interface Operation {
  status: number
  anonymous: boolean
  options: RouteOptions
  /** Types of problems, of `@Refuses`. */
  refuses: readonly string[]
}

/** For handlers whose @ApiOperation names no operationId, which is refused later. */
export function operationId(controller: string, method: string): string {
  return `${controller.replace(/Controller$/, '')}_${method}`
}

/** By operationId. */
export function operationsOf(app: INestApplicationContext): Map<string, Operation> {
  const controllers = [...app.get(ModulesContainer).values()].flatMap((module) => [...module.controllers.values()])
  const types = controllers.flatMap(({ metatype }) => (typeof metatype === 'function' ? [metatype] : []))
  return new Map(
    types.flatMap((type) => handlersOf(type).map(([name, handler]) => [idOf(type, name, handler), describe(type, handler)] as const)),
  )
}

function idOf(type: { name: string }, name: string, handler: object): string {
  const described: { operationId?: string } | undefined = Reflect.getMetadata(API_OPERATION, handler)
  return described?.operationId ?? operationId(type.name, name)
}

function handlersOf(type: { prototype?: unknown }): [string, object][] {
  const prototype: unknown = type.prototype
  if (typeof prototype !== 'object' || prototype === null) return []
  return Object.getOwnPropertyNames(prototype).flatMap((name): [string, object][] => {
    const value: unknown = Reflect.getOwnPropertyDescriptor(prototype, name)?.value
    return typeof value === 'function' && Reflect.hasMetadata(METHOD_METADATA, value) ? [[name, value]] : []
  })
}

function describe(type: object, handler: object): Operation {
  const usual = Reflect.getMetadata(METHOD_METADATA, handler) === RequestMethod.POST ? 201 : 200
  const declared: unknown = Reflect.getMetadata(HTTP_CODE_METADATA, handler)
  return {
    status: typeof declared === 'number' ? declared : usual,
    anonymous: routeOptionsOf(handler).anonymous === true,
    options: routeOptionsOf(handler),
    refuses: [...refusedBy(type), ...refusedBy(handler)],
  }
}
