import { RequestMethod, type INestApplicationContext } from '@nestjs/common'
import { HTTP_CODE_METADATA, METHOD_METADATA } from '@nestjs/common/constants.js'
import { ModulesContainer } from '@nestjs/core'
import { declaredProblems } from '../../platform/http/refuses.js'
import { routeOptionsOf, type RouteOptions } from '../../platform/http/route-options.js'

/** Where @ApiOperation keeps its options; the name is a constant inside @nestjs/swagger. */
const API_OPERATION = 'swagger/apiOperation'

/** What a handler's decorators say beyond what @nestjs/swagger reads. */
export interface DeclaredOperation {
  successStatus: number
  options: RouteOptions
  /** Problem types from `@Refuses`. */
  refuses: readonly string[]
}

/** The fallback for a handler whose @ApiOperation names no operationId. */
export function operationId(controller: string, method: string): string {
  return `${controller.replace(/Controller$/, '')}_${method}`
}

/** Every handler of every controller, by operationId. */
export function operationsOf(app: INestApplicationContext): Map<string, DeclaredOperation> {
  const controllers = [...app.get(ModulesContainer).values()].flatMap((module) => [...module.controllers.values()])
  const types = controllers.flatMap(({ metatype }) => (typeof metatype === 'function' ? [metatype] : []))
  return new Map(
    types.flatMap((type) => handlersOf(type).map(([name, handler]) => [idOf(type, name, handler), readDecorators(type, handler)] as const)),
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

function readDecorators(type: object, handler: object): DeclaredOperation {
  const defaultStatus = Reflect.getMetadata(METHOD_METADATA, handler) === RequestMethod.POST ? 201 : 200
  const declared: unknown = Reflect.getMetadata(HTTP_CODE_METADATA, handler)
  return {
    successStatus: typeof declared === 'number' ? declared : defaultStatus,
    options: routeOptionsOf(handler),
    refuses: [...declaredProblems(type), ...declaredProblems(handler)],
  }
}
