import { Module } from '@nestjs/common'
import { APP_FILTER, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core'
import { AccountsModule } from '../accounts/accounts.module.js'
import { AuthenticationModule } from '../authentication/authentication.module.js'
import { DeliveryModule } from '../delivery/delivery.module.js'
import { FederationModule } from '../federation/federation.module.js'
import { GroupsModule } from '../groups/groups.module.js'
import { KeyPackagesModule } from '../key-packages/key-packages.module.js'
import { PlatformModule } from '../platform/platform.module.js'
import { ProblemFilter } from '../platform/http/server/problem.filter.js'
import { ReturnsInterceptor } from '../platform/http/server/returns.interceptor.js'
import { ValidationPipe } from '../platform/http/server/validation.pipe.js'
import { TokensModule } from '../tokens/tokens.module.js'
import { Operations } from './operations/operations.js'
import { SealedKeysCheck } from './operations/sealed-keys-check.js'

/** The whole server. Each feature is one line; what they share comes from the platform. */
@Module({
  imports: [
    PlatformModule,
    AuthenticationModule,
    KeyPackagesModule,
    TokensModule,
    DeliveryModule,
    GroupsModule,
    FederationModule,
    AccountsModule,
  ],
  providers: [
    Operations,
    SealedKeysCheck,
    { provide: APP_PIPE, useClass: ValidationPipe },
    { provide: APP_INTERCEPTOR, useClass: ReturnsInterceptor },
    { provide: APP_FILTER, useClass: ProblemFilter },
  ],
})
export class AppModule {}
