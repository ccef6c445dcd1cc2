import { Module } from '@nestjs/common'
import { purgeJob } from '../platform/jobs/purge.js'
import { PlatformModule } from '../platform/platform.module.js'
import { AccountsController } from './accounts/accounts.controller.js'
import { DisabledAccounts } from './accounts/disabled-accounts.job.js'
import { Admissions } from './accounts/admissions.js'
import { ErasedNames } from './accounts/erased-names.js'
import { deleteSpentInvites } from './accounts/invites.repository.js'
import { Recovery } from './accounts/recovery.js'
import { Registration } from './accounts/registration.js'
import { ChallengesController } from './challenges/challenges.controller.js'
import { deleteExpiredChallenges } from './challenges/challenges.repository.js'
import { Challenges } from './challenges/challenges.js'
import { CertifiedChanges } from './device-list/certified-changes.js'
import { DailyCertificates } from './device-list/daily-certificates.js'
import { DeviceListChanges } from './device-list/device-list-changes.js'
import { DeviceListController } from './device-list/device-list.controller.js'
import { DeviceLists } from './device-list/device-lists.js'
import { ListRecoveries } from './device-list/list-recoveries.js'
import { OwnDeviceList } from './device-list/own-device-list.js'
import { ChangeDecisions } from './device-list/pending/change-decisions.js'
import { PendingChangesController } from './device-list/pending/pending-changes.controller.js'
import { PendingChangesJob } from './device-list/pending/pending-changes.job.js'
import { PendingChanges } from './device-list/pending/pending-changes.js'
import { KnownLists } from './device-list/known-lists.js'
import { DeviceEnrolment } from './devices/device-enrolment.js'
import { DeviceRevocation } from './devices/device-revocation.js'
import { DeviceKeys } from './devices/device-keys.js'
import { DevicesController } from './devices/devices.controller.js'
import { Devices } from './devices/devices.js'
import { Permissions } from './devices/permissions.js'
import { Revocations } from './devices/revocations.js'
import { DirectoryController } from './directory/directory.controller.js'
import { Directory } from './directory/directory.js'
import { IdentityNotices } from './identity-notices/identity-notices.job.js'
import { AccessTokens } from './keys/access-tokens.js'
import { JwksController } from './keys/jwks.controller.js'
import { KeyRing } from './keys/key-ring.js'
import { TokenKeyRotation } from './keys/token-key-rotation.js'
import { PasskeyPolicy } from './passkeys/passkey-policy.js'
import { Possession } from './possession/possession.js'
import { deleteExpiredFamilies } from './refresh/refresh-tokens.repository.js'
import { Refresh, SessionRenewal } from './refresh/refresh.js'
import { DeviceStatuses } from './session/device-statuses.js'
import { Login } from './session/login.js'
import { SessionIssuer } from './session/session-issuer.js'
import { SessionsController } from './session/sessions.controller.js'
import { Sessions } from './session/sessions.js'
import { StepUp } from './step-up/step-up.js'
import { Authorities } from './x509/authorities.js'
import { AuthorityRotation } from './x509/authority-rotation.js'
import { CertificateIssuance } from './x509/certificate-issuance.js'
import { X509Credentials } from './x509/x509-credentials.js'
import { X509Controller } from './x509/x509.controller.js'

const purge = purgeJob({
  name: 'authentication.purge_v1',
  everyMs: 60_000,
  deletions: [deleteExpiredChallenges, deleteExpiredFamilies, deleteSpentInvites],
})

/** Accounts, devices and sessions: who may speak, and as whom (§10). */
@Module({
  imports: [PlatformModule],
  controllers: [
    AccountsController,
    ChallengesController,
    DeviceListController,
    DevicesController,
    DirectoryController,
    JwksController,
    PendingChangesController,
    SessionsController,
    X509Controller,
  ],
  providers: [
    purge,
    DisabledAccounts,
    Registration,
    ErasedNames,
    Admissions,
    Recovery,
    Challenges,
    DeviceEnrolment,
    Devices,
    DeviceKeys,
    Revocations,
    KnownLists,
    DailyCertificates,
    DeviceListChanges,
    PasskeyPolicy,
    CertifiedChanges,
    DeviceLists,
    OwnDeviceList,
    ListRecoveries,
    PendingChanges,
    PendingChangesJob,
    ChangeDecisions,
    IdentityNotices,
    DeviceRevocation,
    Permissions,
    StepUp,
    Directory,
    KeyRing,
    AccessTokens,
    TokenKeyRotation,
    Possession,
    DeviceStatuses,
    Sessions,
    SessionIssuer,
    Login,
    SessionRenewal,
    Refresh,
    Authorities,
    AuthorityRotation,
    CertificateIssuance,
    X509Credentials,
  ],
  exports: [Sessions, Directory, DeviceLists, ErasedNames, StepUp, Authorities, X509Credentials],
})
export class AuthenticationModule {}
