import { Controller, Get, Inject } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { z } from 'zod'
import { Anonymous } from '../../authentication/session/caller.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { NotFound } from '../../platform/http/problem.js'
import { jsonOrCbor, PublicDocument } from '../../platform/http/public-document.js'
import { Refuses } from '../../platform/http/refuses.js'
import { Returns, ReturnsUnchanged } from '../../platform/http/returns.js'
import { SignedKeyDirectory } from './directory-document.js'
import { ENDPOINTS, type Endpoint } from './endpoints.js'
import { OwnDirectory } from './own-directory.js'

const templates = Object.fromEntries(Object.keys(ENDPOINTS).map((name) => [name, z.string()])) as Record<Endpoint, z.ZodString>

const Directory = z
  .object({ ...templates, profiles: z.array(z.string()), key_directory: SignedKeyDirectory })
  .meta({ id: 'MimiDirectory', description: 'draft-ietf-mimi-protocol-06, Directory; docs/federation-profile.md' })

/** The directory of this provider: endpoints, profiles and signed keys. */
@ApiTags('federation')
@Controller('.well-known/mimi-protocol-directory')
export class MimiDirectoryController {
  private readonly document = new PublicDocument(jsonOrCbor(Directory), 'public, max-age=0', () => this.directory.current())

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'FEDERATION'>,
    private readonly directory: OwnDirectory,
  ) {}

  @Get()
  @Anonymous()
  @Returns(Directory, { description: 'The directory.' })
  @ApiOperation({
    operationId: 'getMimiDirectory',
    summary: 'Where and how other providers reach this one',
    description:
      'The directory of the MIMI protocol, with the keys that this provider signs with (docs/federation-profile.md). 404 ' +
      'where the server does not federate.',
  })
  @Refuses('not-found')
  @ReturnsUnchanged()
  read() {
    if (this.config.FEDERATION === 'off') throw new NotFound('This server does not federate.')
    return this.document
  }
}
