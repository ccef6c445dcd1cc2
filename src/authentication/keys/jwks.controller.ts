import { Controller, Get } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { z } from 'zod'
import { jsonOrCbor, PublicDocument } from '../../platform/http/public-document.js'
import { Returns, ReturnsUnchanged } from '../../platform/http/returns.js'
import { Anonymous } from '../session/caller.js'
import { KeyRing } from './key-ring.js'

const JwkSet = z
  .object({ keys: z.array(z.looseObject({ kid: z.string(), kty: z.string(), crv: z.string(), x: z.string() })) })
  .meta({ id: 'JwkSet', description: 'RFC 7517 §5' })

@ApiTags('sessions')
@Controller('.well-known/jwks.json')
export class JwksController {
  private readonly document

  constructor(ring: KeyRing) {
    this.document = new PublicDocument(jsonOrCbor(JwkSet), 'public, max-age=60', () => ring.published())
  }

  @Get()
  @Anonymous()
  @Returns(JwkSet, { description: 'A JWK set (RFC 7517).' })
  @ApiOperation({
    operationId: 'getAccessTokenKeys',
    summary: 'The keys that access tokens are signed with',
    description:
      'For other services that check access tokens. A new key is published ten minutes before it signs, which is ' +
      'longer than this may be cached.',
  })
  @ReturnsUnchanged()
  keys() {
    return this.document
  }
}
