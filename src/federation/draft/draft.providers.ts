import { DraftAuthentication } from './draft-authentication.js'
import { DraftClient } from './draft-client.js'
import { DraftDirectories } from './draft-directories.js'
import { DraftHub } from './follower/draft-hub.js'
import { DraftListener } from './draft-listener.js'
import { DraftNotify } from './follower/draft-notify.js'
import { DraftPeers } from './draft-peers.js'
import { DraftPush } from './draft-push.js'
import { DraftPlacements } from './follower/draft-placements.js'
import { DraftRooms } from './follower/draft-rooms.js'
import { DraftReplicas } from './follower/draft-replicas.js'
import { DraftSenders } from './draft-senders.js'
import { DraftSubmissions } from './draft-submissions.js'
import { DraftWelcomes } from './follower/draft-welcomes.js'
import { HubDialects } from './follower/hub-dialects.js'
import { VouchedClients } from './vouched-clients.js'

/** Peers that speak nothing but the draft. */
export const DRAFT_PROVIDERS = [
  DraftPeers,
  DraftListener,
  DraftAuthentication,
  DraftDirectories,
  DraftClient,
  VouchedClients,
  DraftSenders,
  DraftSubmissions,
  DraftPush,
]

/** Groups at hubs that speak nothing but the draft. */
export const DRAFT_HUB_PROVIDERS = [DraftRooms, DraftReplicas, DraftPlacements, DraftWelcomes, DraftNotify, DraftHub, HubDialects]
