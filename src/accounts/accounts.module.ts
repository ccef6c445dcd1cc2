import { Module } from '@nestjs/common'
import { AuthenticationModule } from '../authentication/authentication.module.js'
import { FederationModule } from '../federation/federation.module.js'
import { GroupsModule } from '../groups/groups.module.js'
import { PlatformModule } from '../platform/platform.module.js'
import { AccountDeletions } from './deletion/account-deletion.js'
import { DeletionController } from './deletion/deletion.controller.js'
import { ErasureFollowUps, Erasures } from './erasure/erasure.job.js'
import { AccountExports } from './export/account-export.js'
import { ExportController } from './export/export.controller.js'
import { MeController } from './me.controller.js'

/** The life of an account as its user sees it: what there is, a copy of it, and its end. It is about every other module's tables. */
@Module({
  imports: [PlatformModule, AuthenticationModule, GroupsModule, FederationModule],
  controllers: [MeController, ExportController, DeletionController],
  providers: [AccountExports, AccountDeletions, Erasures, ErasureFollowUps],
})
export class AccountsModule {}
