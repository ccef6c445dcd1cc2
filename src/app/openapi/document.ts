import type { INestApplication } from '@nestjs/common'
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger'
import { VERSION } from '../../platform/version.js'
import { completeDocument } from './complete.js'
import { isZodSchema, jsonSchemaOf } from './json-schema.js'
import { operationId, operationsOf } from './operations.js'

const ABOUT = `Ordering, storage and delivery for Messaging Layer Security (RFC 9420) groups, and the accounts and devices in them.

**Bytes** are base64url without padding in \`application/json\` and byte strings in \`application/cbor\`; both are understood
in requests, and \`Accept\` chooses for responses. Where a body is one MLSMessage, \`message/mls\` takes it as it is.

**Refusals** are RFC 9457 problem documents with a stable \`type\`; docs/errors.md lists all of them, and each operation lists those that it can answer.
Every answer has an \`X-Request-Id\`, which a problem repeats as its \`instance\`. Retries are idempotent: resend the same bytes.

**Unknown fields** of requests are refused. Later versions may add fields to responses: ignore those that you do not know.

**The stream** is a WebSocket at \`GET /v1/stream\`, described in asyncapi.yaml.

**Examples** were recorded from one run against a fresh server. \`x-fresh\` names the parts that differ in each run, such as nonces, proofs
and what is encrypted: put your own there. All the rest can be sent as it is. Bodies that are not JSON are under \`x-example\`, as base64url
of the bytes (send the bytes), and CBOR also in diagnostic notation (RFC 8949 §8).`

/** In the order of a first visit. */
const TAGS: readonly (readonly [name: string, description: string])[] = [
  ['accounts', 'Registration.'],
  ['sessions', 'Challenges, logins, access tokens and refresh tokens.'],
  ['devices', 'The devices of an account and their signature keys.'],
  ['certificates', 'Certificates of devices by their provider (docs/x509.md).'],
  ['device lists', 'What users’ own keys say of their devices: entries and heads that clients verify (docs/identity.md).'],
  ['directory', 'The Authentication Service: whose key is this, and since when?'],
  ['key-packages', 'KeyPackages (RFC 9420 §10): publish them, and claim those of others.'],
  ['groups', 'Groups and rooms: create, read, leave, reset, delete.'],
  ['handshakes', 'Commits and proposals, and what is needed to join.'],
  ['messages', 'Application messages.'],
  ['policy', 'Who may join, add, remove and administer.'],
  ['delivery', 'What is new for this device, without a stream, and the log of a group.'],
  ['sealed sender', 'Posting without saying who posts (docs/sealed-sender.md).'],
  ['federation', 'Users and rooms of other providers (docs/federation-profile.md).'],
]

/** OpenAPI 3.1 from the controllers and their zod constants. Needs no database and no settings. */
export function describeApi(app: INestApplication): OpenAPIObject {
  const about = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('MicroChat Server')
    .setDescription(ABOUT)
    .setVersion(VERSION)
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    .addServer('http://localhost:8080', 'npm start')
    .addSecurity('dpop', {
      // Generators know no HTTP scheme of this name.
      type: 'apiKey',
      in: 'header',
      name: 'Authorization',
      description:
        'An access token whose `token_type` is DPoP, as `Authorization: DPoP …`, and in the field `DPoP` a proof of the session’s key: a JWT ' +
        'for this one request (RFC 9449 §4.2 and §7.1), of ES256 or Ed25519, with `htm`, `htu`, `iat`, `jti` and `ath`.',
    })
    .addBearerAuth(
      { type: 'http', scheme: 'bearer', description: 'An access token whose `token_type` is Bearer (ACCESS_TOKENS=bearer-allowed).' },
      'device',
    )
  for (const [name, description] of TAGS) about.addTag(name, description)
  const document = SwaggerModule.createDocument(app, about.build(), {
    standardSchemaConverter: (schema, { schemaType }) => (isZodSchema(schema) ? jsonSchemaOf(schema, schemaType) : undefined),
    operationIdFactory: operationId,
  })
  return completeDocument(document, operationsOf(app))
}
