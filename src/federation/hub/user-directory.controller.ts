import { Controller, Inject } from '@nestjs/common'
import { Directory } from '../../authentication/directory/directory.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { encodeCbor } from '../../platform/http/encode.js'
import { NotFound } from '../../platform/http/problem.js'
import { parseUserUri } from '../../protocol/identifiers.js'
import { PEER_PATH } from '../identity/endpoints.js'
import { Disclosure } from '../disclosure/disclosure.js'
import { PeerPost, UserVariable } from '../inbound/peer-route.js'
import { CurrentPeer, PeerBody, type Peer } from '../inbound/peer.js'

/** The directory of a local user for providers that have to do with it: devices and signature keys, in CBOR. */
@Controller(PEER_PATH)
export class UserDirectoryController {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly directory: Directory,
    private readonly disclosure: Disclosure,
  ) {}

  @PeerPost('directory/:user')
  async lookUp(@CurrentPeer() peer: Peer, @UserVariable('user') user: string, @PeerBody() body: Uint8Array): Promise<Uint8Array> {
    if (parseUserUri(user)?.domain !== this.config.DOMAIN) throw new NotFound('The user is not of this server.')
    await this.disclosure.requireRelated(peer, user, body)
    return encodeCbor(await this.directory.lookUp(user))
  }
}
