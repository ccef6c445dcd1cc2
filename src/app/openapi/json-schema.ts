import { z, ZodType } from 'zod'

export interface ConvertedSchema {
  schema: Record<string, unknown>
  components: Record<string, Record<string, unknown>>
}

/** One component per schema that has an id; zod already speaks the JSON Schema dialect of OpenAPI 3.1. */
export function jsonSchemaOf(schema: ZodType, io: 'input' | 'output'): ConvertedSchema {
  const { $defs: components = {}, $schema: _, ...converted } = z.toJSONSchema(schema, { io, unrepresentable: 'any' })
  return { schema: converted, components }
}

export function isZodSchema(schema: unknown): schema is ZodType {
  return schema instanceof ZodType
}
