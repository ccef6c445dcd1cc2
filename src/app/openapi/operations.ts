import type { INestApplicationContext } from '@nestjs/common'
import { HTTP_CODE_METADATA, METHOD_METADATA } from '@nestjs/common/constants.js'
import { RequestMethod } from '@nestjs/common'
import { ModulesContainer } from '@nestjs/core'
import { routeOptionsOf } from '../../platform/http/route-options.js'

/** What decorators say about a handler that @nestjs/swagger does not look at. */
export interface Operation {
  status: number
  anonymous: boolean
  messageField: string | undefined
}

export function operationId(controller: string, method: string): string {
  return `${controller.replace(/Controller$/, '')}_${method}`
}

export function operationsOf(app: INestApplicationContext): Map<string, Operation> {
  const controllers = [...app.get(ModulesContainer).values()].flatMap((module) => [...module.controllers.values()])
  const types = controllers.flatMap(({ metatype }) => (typeof metatype === 'function' ? [metatype] : []))
  return new Map(
    types.flatMap((type) => handlersOf(type).map(([name, handler]) => [operationId(type.name, name), describe(handler)] as const)),
  )
}

function handlersOf(type: { prototype?: unknown }): [string, object][] {
  const prototype: unknown = type.prototype
  if (typeof prototype !== 'object' || prototype === null) return []
  return Object.getOwnPropertyNames(prototype).flatMap((name): [string, object][] => {
    const value: unknown = Reflect.getOwnPropertyDescriptor(prototype, name)?.value
    return typeof value === 'function' && Reflect.hasMetadata(METHOD_METADATA, value) ? [[name, value]] : []
  })
}

function describe(handler: object): Operation {
  const usual = Reflect.getMetadata(METHOD_METADATA, handler) === RequestMethod.POST ? 201 : 200
  const declared: unknown = Reflect.getMetadata(HTTP_CODE_METADATA, handler)
  return {
    status: typeof declared === 'number' ? declared : usual,
    anonymous: routeOptionsOf(handler).anonymous === true,
    messageField: routeOptionsOf(handler).messageField,
  }
}
