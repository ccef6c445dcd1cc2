import { Inject, Module, type OnModuleInit } from '@nestjs/common'
import { APP_INTERCEPTOR } from '@nestjs/core'
import { AuthenticationModule } from '../authentication/authentication.module.js'
import { GroupsModule } from '../groups/groups.module.js'
import { FederationLink } from '../groups/home/federation-link.js'
import { KeyPackagesModule } from '../key-packages/key-packages.module.js'
import { CONFIG, type Config } from '../platform/config/config.js'
import { IssuerLink } from '../tokens/issue/attester.js'
import { TokensModule } from '../tokens/tokens.module.js'
import { PlatformModule } from '../platform/platform.module.js'
import { AbuseController, AbusePeerController } from './abuse/abuse.controller.js'
import { AbuseReports } from './abuse/abuse-reports.js'
import { ConsentPeerController } from './consent/consent-peer.controller.js'
import { ConsentsController } from './consent/consents.controller.js'
import { Consents } from './consent/consents.js'
import { DeviceListPeerController, DeviceListsController } from './device-lists/device-lists.controller.js'
import { ForeignUserRecords } from './hub/foreign-user-records.js'
import { ForeignDeviceLists } from './device-lists/foreign-device-lists.js'
import { ListCopies } from './device-lists/list-copies.js'
import { DraftAuthentication } from './draft/draft-authentication.js'
import { DraftController } from './draft/draft.controller.js'
import { HubDialects } from './draft/follower/hub-dialects.js'
import { EraseUserController } from './erasure/erase-user.controller.js'
import { UserErasures } from './erasure/user-erasures.js'
import { DeleteRoomController } from './follower/replica/delete-room.controller.js'
import { Joins } from './follower/replica/joins.js'
import { NotifyController } from './follower/replica/notify.controller.js'
import { HubNotifier, RevokedMembers } from './follower/revoked-members.js'
import { ARRIVALS } from './follower/arrival/arrivals.js'
import { Pull } from './follower/replica/pull.js'
import { SignedHeads } from './evidence/signed-heads.js'
import { RemoteHub } from './follower/remote-hub.js'
import { ReplicaNews } from './follower/replica/replica-news.js'
import { Replicas } from './follower/replica/replicas.js'
import { ForeignDevices } from './hub/foreign-devices.js'
import { OwnJoins } from './joins/own-joins.js'
import { LogController } from './hub/log.controller.js'
import { OperationsController } from './hub/operations.controller.js'
import { GroupInfoController } from './group-info/group-info.controller.js'
import { SealedGroupInfo } from './group-info/sealed-group-info.js'
import { SealedInfoController } from './group-info/sealed-info.controller.js'
import { HostedRooms } from './hub/hosted-rooms.js'
import { RoomAccess } from './hub/room-access.js'
import { SubmissionsController } from './hub/submissions.controller.js'
import { UserDirectoryController } from './hub/user-directory.controller.js'
import {
  IdentifierQueriesController,
  IdentifierQueryPeerController,
  SearchableController,
} from './identifier-query/identifier-queries.controller.js'
import { IdentifierQueries } from './identifier-query/identifier-queries.js'
import { MimiDirectoryController } from './identity/mimi-directory.controller.js'
import { OwnUrl } from './identity/own-url.js'
import { OwnDirectory } from './identity/own-directory.js'
import { ProviderKeys } from './identity/provider-keys.js'
import { ChargesAsker } from './inbound/charges-asker.js'
import { InboundGate } from './inbound/inbound-gate.js'
import { FirstResults } from './inbound/first-results.js'
import { HeardPeers, PeerGuard } from './inbound/peer.guard.js'
import { Nonces } from './inbound/nonces.js'
import { RequestSignatures } from './inbound/request-signatures.js'
import { ResponseSigner } from './inbound/response-signer.js'
import { KeyMaterial, KEY_MATERIAL_ANSWERS } from './key-material/key-material.js'
import { KeyMaterialForwarder } from './key-material/key-material-forwarder.js'
import { KeyMaterialController } from './key-material/key-material.controller.js'
import { OwnKeyMaterial } from './key-material/own-key-material.js'
import { ProvidersInRoom } from './apart/providers-in-room.js'
import { Disclosure } from './disclosure/disclosure.js'
import { Introductions, IntroducingClient } from './disclosure/introductions.js'
import { UserLookups } from './disclosure/user-lookups.js'
import { OwnClaims } from './key-material/own-claims.js'
import { Requesters } from './key-material/requesters.js'
import { AnswerSignatures } from './outbound/answer-signatures.js'
import { PeerConnections } from './outbound/peer-http.js'
import { PeerAuthorities } from './peers/peer-authorities.js'
import { FirstLooks } from './peers/first-looks.js'
import { PeerPolicy } from './peers/peer-policy.js'
import { DirectoryFetches } from './peers/directory-fetches.js'
import { DirectoryTimes } from './peers/directory-times.js'
import { PeerDirectories } from './peers/peer-directories.js'
import { Batches } from './push/batches.js'
import { Runs } from './push/runs.js'
import { Circuits } from './push/circuits.js'
import { Deletions } from './push/deletions.js'
import { Delivery } from './push/delivery.js'
import { PeerLane } from './push/peer-lane.js'
import { Push } from './push/push.js'
import { PushTrigger } from './push/push-trigger.js'
import { GatewayKeys, SealedGateway } from './sealed/sealed-gateway.js'
import { IssuingPeerController, SealedPeerController } from './sealed/sealed-peer.controller.js'
import { RemoteIssuers } from './sealed/remote-issuers.js'
import { SealedRelay } from './sealed/sealed-relay.js'
import { SealedRelayController } from './sealed/sealed-relay.controller.js'
import { SignedClient } from './outbound/signed-client.js'
import { PeerBytes } from './quotas/peer-bytes.js'
import { ReplicaQuota } from './quotas/replica-quota.js'
import { TakeUp } from './quotas/take-up.js'
import { DRAFT_HUB_PROVIDERS, DRAFT_PROVIDERS } from './draft/draft.providers.js'
import { PURGES } from './federation-purges.js'

/** Identity of this and other providers, and signed requests in both directions. */
const speaking = [
  OwnUrl,
  ProviderKeys,
  OwnDirectory,
  PeerConnections,
  FirstLooks,
  DirectoryTimes,
  DirectoryFetches,
  PeerDirectories,
  PeerAuthorities,
  PeerPolicy,
  Nonces,
  FirstResults,
  RequestSignatures,
  InboundGate,
  HeardPeers,
  PeerBytes,
  PeerGuard,
  ResponseSigner,
  AnswerSignatures,
  SignedClient,
  { provide: APP_INTERCEPTOR, useClass: ChargesAsker },
]
/** Groups at home here with members elsewhere. */
const asHub = [
  ProvidersInRoom,
  OwnKeyMaterial,
  SealedGroupInfo,
  HostedRooms,
  RoomAccess,
  KeyMaterialForwarder,
  ...KEY_MATERIAL_ANSWERS,
  OwnClaims,
  PeerLane,
  Circuits,
  ForeignDevices,
  Requesters,
  KeyMaterial,
  Batches,
  Runs,
  Delivery,
  Deletions,
  UserErasures,
  Push,
  PushTrigger,
]
/** Groups at home elsewhere with members here. */
const asFollower = [
  ReplicaNews,
  ReplicaQuota,
  TakeUp,
  SignedHeads,
  OwnJoins,
  Pull,
  ...ARRIVALS,
  HubNotifier,
  RevokedMembers,
  RemoteHub,
  Joins,
  Replicas,
]
/** Providers of what users of different providers do outside of groups. */
const betweenUsers = [
  Disclosure,
  Introductions,
  IntroducingClient,
  UserLookups,
  ForeignUserRecords,
  ListCopies,
  ForeignDeviceLists,
  Consents,
  IdentifierQueries,
  AbuseReports,
]

/** Posts without a sender, and the tokens for them, between this provider and others. */
const sealedSender = [RemoteIssuers, GatewayKeys, SealedGateway, SealedRelay]

@Module({
  imports: [PlatformModule, AuthenticationModule, KeyPackagesModule, TokensModule, GroupsModule],
  controllers: [
    MimiDirectoryController,
    UserDirectoryController,
    DeviceListsController,
    DeviceListPeerController,
    KeyMaterialController,
    GroupInfoController,
    SealedInfoController,
    SubmissionsController,
    OperationsController,
    LogController,
    NotifyController,
    DraftController,
    DeleteRoomController,
    EraseUserController,
    ConsentsController,
    ConsentPeerController,
    IdentifierQueriesController,
    SearchableController,
    IdentifierQueryPeerController,
    AbuseController,
    AbusePeerController,
    IssuingPeerController,
    SealedPeerController,
    SealedRelayController,
  ],
  providers: [
    ...PURGES,
    ...speaking,
    ...DRAFT_PROVIDERS,
    ...asHub,
    ...asFollower,
    ...DRAFT_HUB_PROVIDERS,
    ...betweenUsers,
    ...sealedSender,
  ],
  exports: [
    PeerBytes,
    PeerGuard,
    DraftAuthentication,
    RequestSignatures,
    InboundGate,
    HeardPeers,
    SignedClient,
    PeerDirectories,
    ProviderKeys,
    PeerPolicy,
    Nonces,
    FirstResults,
    OwnUrl,
  ],
})
export class FederationModule implements OnModuleInit {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'FEDERATION'>,
    private readonly link: FederationLink,
    private readonly hubs: HubDialects,
    private readonly issuerLink: IssuerLink,
    private readonly issuers: RemoteIssuers,
  ) {}

  /** Tells the layers below, which know nothing of this one, that there are other providers. */
  onModuleInit(): void {
    if (this.config.FEDERATION === 'off') return
    this.link.connect(this.hubs)
    this.issuerLink.connect(this.issuers)
  }
}
