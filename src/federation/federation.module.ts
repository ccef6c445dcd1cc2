import { Module } from '@nestjs/common'
import { PlatformModule } from '../platform/platform.module.js'
import { MimiDirectoryController } from './identity/mimi-directory.controller.js'
import { OwnUrl } from './identity/own-url.js'
import { ProviderKeys } from './identity/provider-keys.js'
import { FirstResults } from './inbound/first-results.js'
import { Nonces } from './inbound/nonces.js'
import { PeerGuard } from './inbound/peer.guard.js'
import { SignResponses } from './inbound/sign-responses.js'
import { PeerConnections } from './outbound/peer-connections.js'
import { Admission } from './peers/admission.js'
import { PeerDirectories } from './peers/peer-directories.js'
import { SignedClient } from './signed-client/signed-client.js'

/** Other providers: who they are, and how this one and they speak with each other. */
@Module({
  imports: [PlatformModule],
  controllers: [MimiDirectoryController],
  providers: [
    OwnUrl,
    ProviderKeys,
    PeerConnections,
    PeerDirectories,
    Admission,
    Nonces,
    FirstResults,
    PeerGuard,
    SignResponses,
    SignedClient,
  ],
  exports: [PeerGuard, SignedClient, PeerDirectories, ProviderKeys, Admission, Nonces, FirstResults, OwnUrl],
})
export class FederationModule {}
