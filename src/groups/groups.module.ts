import { Module } from '@nestjs/common'
import { AuthenticationModule } from '../authentication/authentication.module.js'
import { X509Credentials } from '../authentication/x509/x509-credentials.js'
import { AppendModule } from '../delivery/delivery.module.js'
import { CONFIG } from '../platform/config/config.js'
import { PlatformModule } from '../platform/platform.module.js'
import { POOL } from '../platform/postgres/sql.js'
import { TokensModule } from '../tokens/tokens.module.js'
import { BlocksController } from './blocks/blocks.controller.js'
import { CommitAftermath, CommitAttempts, CommitValidators } from './commit/commit-attempts.js'
import { CommitsController } from './commit/commits.controller.js'
import { CommitsService } from './commit/commits.service.js'
import { PrivateCommitValidator } from './commit/private-commit-validator.js'
import { PublicCommitValidator } from './commit/public-commit-validator.js'
import { CreateController } from './create/create.controller.js'
import { CreateService } from './create/create.service.js'
import { FoundingMembers, Reinitialized } from './create/founding-members.js'
import { GroupCreation } from './create/group-creation.js'
import { DeleteController } from './delete/delete.controller.js'
import { DeleteService } from './delete/delete.service.js'
import { DeletedGroups } from './delete/deleted-groups.job.js'
import { DeliveryChoiceController } from './delivery/delivery-choice.controller.js'
import { ExternalSendersController } from './external-sender/external-senders.controller.js'
import { ExternalSenders } from './external-sender/external-senders.js'
import { FederationLink } from './home/federation-link.js'
import { GroupLocator } from './home/group-locator.js'
import { InfoController } from './info/info.controller.js'
import { InfoService } from './info/info.service.js'
import { Bundles } from './input/bundle.js'
import { InvitationPolicyController, InvitationsController } from './invitations/invitations.controller.js'
import { GroupLimits } from './limits/group-limits.js'
import { MessagesController } from './message/messages.controller.js'
import { MessagesService } from './message/messages.service.js'
import { StreamedPosts } from './message/streamed-posts.js'
import { GroupOperations } from './operations/group-operations.js'
import { groupOperations, OPERATIONS_TABLE, OPERATION_SERVICES } from './operations/operations-table.js'
import { PolicyController } from './policy/policy.controller.js'
import { PolicyService } from './policy/policy.service.js'
import { ProposalJudge } from './proposal/proposal-judge.js'
import { ProposalsController } from './proposal/proposals.controller.js'
import { ProposalStates } from './proposal/proposal-states.js'
import { ProposalsService } from './proposal/proposals.service.js'
import { LeaveController } from './removal/leave.controller.js'
import { RemovalNotices } from './removal/removal-notices.js'
import { RemovalsService } from './removal/removals.service.js'
import { RevokedDeviceRemovals } from './removal/revoked-device-removals.js'
import { CommitAuthors } from './reset/commit-authors.js'
import { ResetController } from './reset/reset.controller.js'
import { ResetService } from './reset/reset.service.js'
import { RoomsController } from './rooms/rooms.controller.js'
import { RoomsService } from './rooms/rooms.service.js'
import { createMembership } from './roster/create-membership.js'
import { MEMBERSHIP } from './roster/membership.js'
import { SealedMessagesController } from './sealed/sealed-messages.controller.js'
import { SealedMessages } from './sealed/sealed-messages.js'
import { SenderKeysController } from './sealed/sender-keys.controller.js'
import { SenderKeysService } from './sealed/sender-keys.service.js'
import { PublicStates } from './state/public-states.js'
import { Snapshots } from './state/snapshots.job.js'
import { StateCache } from './state/state-cache.js'
import { StoredEpochs } from './state/stored-epochs.js'
import { LargeTrees } from './state/trees/large-trees.js'
import { UsageController } from './usage/usage.controller.js'

/** The ordering half of the Delivery Service: who may change which group, and in which order it happened. */
@Module({
  imports: [PlatformModule, AuthenticationModule, AppendModule, TokensModule],
  controllers: [
    CreateController,
    CommitsController,
    ProposalsController,
    MessagesController,
    SenderKeysController,
    SealedMessagesController,
    InfoController,
    PolicyController,
    LeaveController,
    DeliveryChoiceController,
    BlocksController,
    InvitationsController,
    InvitationPolicyController,
    ResetController,
    DeleteController,
    RoomsController,
    ExternalSendersController,
    UsageController,
  ],
  providers: [
    FederationLink,
    GroupLocator,
    GroupOperations,
    { provide: OPERATIONS_TABLE, useFactory: groupOperations, inject: [...OPERATION_SERVICES] },
    CreateService,
    GroupCreation,
    GroupLimits,
    FoundingMembers,
    Reinitialized,
    Bundles,
    CommitsService,
    CommitAttempts,
    CommitValidators,
    PublicCommitValidator,
    PrivateCommitValidator,
    CommitAftermath,
    ProposalsService,
    ProposalJudge,
    ProposalStates,
    MessagesService,
    StreamedPosts,
    SenderKeysService,
    SealedMessages,
    InfoService,
    PolicyService,
    ExternalSenders,
    RemovalNotices,
    RemovalsService,
    RevokedDeviceRemovals,
    CommitAuthors,
    ResetService,
    DeleteService,
    DeletedGroups,
    RoomsService,
    { provide: MEMBERSHIP, useFactory: createMembership, inject: [POOL, CONFIG, FederationLink, X509Credentials] },
    StateCache,
    LargeTrees,
    PublicStates,
    StoredEpochs,
    Snapshots,
  ],
  // What the hub of other providers' users does for them, and what connects it.
  exports: [DeletedGroups, FederationLink, GroupOperations, InfoService, SealedMessages, ExternalSenders, PublicStates, LargeTrees],
})
export class GroupsModule {}
