import type { INestApplication } from '@nestjs/common'
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger'
import { complete } from './complete.js'
import { isZodSchema, jsonSchemaOf } from './json-schema.js'
import { operationId, operationsOf } from './operations.js'

const ABOUT = `Ordering, storage and delivery for Messaging Layer Security (RFC 9420) groups, and the accounts and devices in them.

Bytes are base64url without padding in \`application/json\` and byte strings in \`application/cbor\`; both are understood
in requests, and \`Accept\` chooses for responses. Where a body is one MLSMessage, \`message/mls\` takes it as it is.
Refusals are RFC 9457 problem details with a stable \`type\`. The stream is described in docs/asyncapi.yaml.`

/** OpenAPI 3.1 from the controllers and their zod constants. Needs no database and no settings. */
export function describeApi(app: INestApplication): OpenAPIObject {
  const about = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('MicroChat Server')
    .setDescription(ABOUT)
    .setVersion('1')
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'An access token of POST /v1/auth/sessions' }, 'device')
    .build()
  const document = SwaggerModule.createDocument(app, about, {
    standardSchemaConverter: (schema, { schemaType }) => (isZodSchema(schema) ? jsonSchemaOf(schema, schemaType) : undefined),
    operationIdFactory: operationId,
  })
  return complete(document, operationsOf(app))
}
