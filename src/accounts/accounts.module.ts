import { Module } from '@nestjs/common'
import { AuthenticationModule } from '../authentication/authentication.module.js'
import { FederationModule } from '../federation/federation.module.js'
import { PlatformModule } from '../platform/platform.module.js'
import { AccountExports } from './export/account-export.js'
import { ExportController } from './export/export.controller.js'
import { MeController } from './me.controller.js'

/** The life of an account as its user sees it: what there is, a copy of it, and its end. It is about every other module's tables. */
@Module({
  imports: [PlatformModule, AuthenticationModule, FederationModule],
  controllers: [MeController, ExportController],
  providers: [AccountExports],
})
export class AccountsModule {}
