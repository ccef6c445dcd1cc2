import { Module } from '@nestjs/common'
import { AuthenticationModule } from '../authentication/authentication.module.js'
import { PlatformModule } from '../platform/platform.module.js'
import { Claims } from './claims.js'
import { KeyPackagesController } from './key-packages.controller.js'
import { ForeignClaims } from './foreign-claims.js'
import { KeyPackages } from './key-packages.js'
import { KeyPackagePurge } from './key-package-purge.job.js'

@Module({
  imports: [PlatformModule, AuthenticationModule],
  controllers: [KeyPackagesController],
  providers: [KeyPackages, Claims, ForeignClaims, KeyPackagePurge],
  exports: [Claims, ForeignClaims],
})
export class KeyPackagesModule {}
