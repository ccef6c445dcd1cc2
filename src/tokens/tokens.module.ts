import { Module } from '@nestjs/common'
import { PlatformModule } from '../platform/platform.module.js'
import { Attester, IssuerLink } from './issue/attester.js'
import { Issuer } from './issue/issuer.js'
import { OwnIssuerDirectory } from './issue/issuer-directory.js'
import { TokenSigner } from './issue/token-signer.js'
import { TokensController } from './issue/tokens.controller.js'
import { IssuerKeyRotation } from './keys/issuer-key-rotation.js'
import { IssuerKeys } from './keys/issuer-keys.js'
import { Redemption } from './redemption.js'

/** Send tokens: this provider as issuer, as origin, and as attester of its users with other issuers (§9, RFC 9576). */
@Module({
  imports: [PlatformModule],
  controllers: [TokensController],
  providers: [IssuerKeyRotation, IssuerKeys, Issuer, TokenSigner, IssuerLink, OwnIssuerDirectory, Attester, Redemption],
  exports: [Redemption, Issuer, IssuerLink, OwnIssuerDirectory],
})
export class TokensModule {}
