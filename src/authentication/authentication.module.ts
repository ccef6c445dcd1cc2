import { Module } from '@nestjs/common'
import { APP_GUARD } from '@nestjs/core'
import { PlatformModule } from '../platform/platform.module.js'
import { AuthenticationEvents } from './authentication.events.js'
import { AccessTokens } from './keys/access-tokens.js'
import { KeyRing } from './keys/key-ring.js'
import { TokenKeyRotation } from './keys/token-key-rotation.js'
import { DeviceStatuses } from './session/device-statuses.js'
import { SessionGuard } from './session/session.guard.js'
import { Sessions } from './session/sessions.js'

/** Accounts, devices and sessions: who may speak, and as whom (DESIGN §10). */
@Module({
  imports: [PlatformModule],
  providers: [
    AuthenticationEvents, KeyRing, AccessTokens, TokenKeyRotation, DeviceStatuses, Sessions,
    { provide: APP_GUARD, useClass: SessionGuard },
  ],
  exports: [Sessions, TokenKeyRotation],
})
export class AuthenticationModule {}
