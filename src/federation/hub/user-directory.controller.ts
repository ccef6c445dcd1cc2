import { Controller, Inject } from '@nestjs/common'
import { Directory } from '../../authentication/directory/directory.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { encodeCbor } from '../../platform/http/encode.js'
import { NotFound } from '../../platform/http/problem.js'
import { parseUserUri } from '../../protocol/identifiers.js'
import { PEER_PATH } from '../identity/endpoints.js'
import { PeerPost, UserVariable } from '../inbound/peer-route.js'

/** The directory of a local user for other providers: devices and signature keys, in CBOR. */
@Controller(PEER_PATH)
export class UserDirectoryController {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly directory: Directory,
  ) {}

  @PeerPost('directory/:user')
  async lookUp(@UserVariable('user') user: string): Promise<Uint8Array> {
    if (parseUserUri(user)?.domain !== this.config.DOMAIN) throw new NotFound('The user is not of this server.')
    return encodeCbor(await this.directory.lookUp(user))
  }
}
