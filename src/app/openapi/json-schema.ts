import { z, ZodType } from 'zod'

export interface ConvertedSchema {
  schema: Record<string, unknown>
  components: Record<string, Record<string, unknown>>
}

/** One component per schema that has an id; zod already speaks the JSON Schema dialect of OpenAPI 3.1. */
export function jsonSchemaOf(schema: ZodType, io: 'input' | 'output'): ConvertedSchema {
  const json = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      if (jsonSchema.type === 'integer') simplifyInteger(jsonSchema)
      const values = jsonSchema.enum ?? [jsonSchema.const]
      if (values.every(Number.isInteger)) jsonSchema.type = 'integer'
      // Properties have their own defaults. Java generators paste the default of an object into the code verbatim, which does not compile.
      if (jsonSchema.type === 'object') delete jsonSchema.default
      if (jsonSchema.contentEncoding === 'base64url')
        Object.assign(jsonSchema, { example: 'A'.repeat(Math.max(jsonSchema.minLength ?? 0, 4)) })
      // Later versions may answer more members, and clients that are generated today have to take them (docs/versioning.md).
      if (io === 'output' && zodSchema instanceof z.ZodObject && zodSchema.def.catchall === undefined)
        delete jsonSchema.additionalProperties
    },
  })
  const { $defs: components = {}, $schema: _, ...converted } = json
  return { schema: converted, components }
}

/** The components of an output schema, with `$ref`s rewritten from `#/$defs/` to `#/components/schemas/`. */
export function outputComponents(schema: ZodType): Record<string, object> {
  const text = JSON.stringify(jsonSchemaOf(schema, 'output').components).replaceAll('"#/$defs/', '"#/components/schemas/')
  return JSON.parse(text) as Record<string, object>
}

/** Documents integers as plain integers: the string (query) and bigint (CBOR) forms that the parser accepts are left out. */
function simplifyInteger(schema: { pattern?: string; anyOf?: unknown; minimum?: number; maximum?: number }): void {
  delete schema.pattern
  delete schema.anyOf
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum
  if (schema.maximum === Number.MAX_SAFE_INTEGER && schema.minimum === undefined) delete schema.maximum
}

/** Also tells zod's schemas from others of Standard Schema, which cannot be described. */
export function isZodSchema(schema: unknown): schema is ZodType {
  return schema instanceof ZodType
}
