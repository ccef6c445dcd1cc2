import { Controller, Get, Inject, Query } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { DeviceListPage, DeviceListQuery } from '../../authentication/device-list/device-list.dto.js'
import { DeviceLists } from '../../authentication/device-list/device-lists.js'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { encodeCbor } from '../../platform/http/encode.js'
import { NotFound } from '../../platform/http/problem.js'
import { PEER_CALL_PROBLEMS, Refuses } from '../../platform/http/refuses.js'
import { Returns } from '../../platform/http/returns.js'
import { parseUserUri } from '../../protocol/identifiers.js'
import { PEER_PATH } from '../identity/endpoints.js'
import { Disclosure } from '../disclosure/disclosure.js'
import { PeerPost, UserVariable } from '../inbound/peer-route.js'
import { CurrentPeer, PeerBody, type Peer } from '../inbound/peer.js'
import { ForeignDeviceLists } from './foreign-device-lists.js'

@ApiTags('device lists')
@Controller('v1/device-lists')
export class DeviceListsController {
  constructor(private readonly lists: ForeignDeviceLists) {}

  @Get()
  @Returns(DeviceListPage, { description: 'The entries from the wanted one on, and the newest head.' })
  @ApiOperation({
    operationId: 'getDeviceList',
    summary: 'What a user’s own keys say of the user’s devices',
    description:
      'Signed by keys of the user, which no server has. Verify entries and head by the rules of docs/identity.md, keep what was verified, ' +
      'and ask for what is after it the next time. Lists of other providers’ users are asked for there and passed on as they are.',
  })
  @Refuses('not-found', ...PEER_CALL_PROBLEMS)
  read(@CurrentDevice() caller: Caller, @Query({ schema: DeviceListQuery }) query: DeviceListQuery) {
    return this.lists.read(caller, query)
  }
}

/** The device list of a local user for providers that have to do with it, in CBOR. */
@Controller(PEER_PATH)
export class DeviceListPeerController {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly lists: DeviceLists,
    private readonly disclosure: Disclosure,
  ) {}

  @PeerPost('deviceList/:user')
  async read(@CurrentPeer() peer: Peer, @UserVariable('user') user: string, @PeerBody() body: Uint8Array): Promise<Uint8Array> {
    if (parseUserUri(user)?.domain !== this.config.DOMAIN) throw new NotFound('The user is not of this server.')
    await this.disclosure.requireRelated(peer, user, body)
    return encodeCbor(await this.lists.read({ user, from: 1 }))
  }
}
