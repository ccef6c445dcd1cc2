import { Controller, Get, Header, Inject } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { z } from 'zod'
import { Anonymous } from '../../authentication/session/anonymous.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { NotFound } from '../../platform/http/problem.js'
import { Refuses } from '../../platform/http/refuses.js'
import { Returns } from '../../platform/http/returns.js'
import { SignedKeyDirectory, signKeyDirectory } from './directory-document.js'
import { endpointTemplates, ENDPOINTS, PROFILES, type Endpoint } from './endpoints.js'
import { OwnUrl } from './own-url.js'
import { ProviderKeys } from './provider-keys.js'

const templates = Object.fromEntries(Object.keys(ENDPOINTS).map((name) => [name, z.string()])) as Record<Endpoint, z.ZodString>

const Directory = z
  .object({ ...templates, profiles: z.array(z.string()), key_directory: SignedKeyDirectory })
  .meta({ id: 'MimiDirectory', description: 'draft-ietf-mimi-protocol-06, Directory; docs/federation-profile.md' })

@ApiTags('federation')
@Controller('.well-known/mimi-protocol-directory')
export class MimiDirectoryController {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'FEDERATION'>,
    private readonly url: OwnUrl,
    private readonly keys: ProviderKeys,
  ) {}

  @Get()
  @Anonymous()
  @Header('cache-control', 'public, max-age=60')
  @Returns(Directory, { description: 'The directory.' })
  @ApiOperation({
    operationId: 'getMimiDirectory',
    summary: 'Where and how other providers reach this one',
    description:
      'The directory of the MIMI protocol, with the keys that this provider signs with (docs/federation-profile.md). 404 ' +
      'where the server does not federate.',
  })
  @Refuses('not-found')
  async read() {
    if (this.config.FEDERATION === 'off') throw new NotFound('This server does not federate.')
    const about = { domain: this.config.DOMAIN, profiles: PROFILES, now: new Date() }
    const keyDirectory = await signKeyDirectory(await this.keys.published(), about)
    return { ...endpointTemplates(this.url.get()), profiles: [...PROFILES], key_directory: keyDirectory }
  }
}
