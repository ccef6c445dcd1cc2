import { accountsCreate } from './authentication/accounts-create.js'
import { accountsDisable } from './authentication/accounts-disable.js'
import type { Command } from './command.js'
import { doctor } from './doctor/doctor.js'
import { groupsReports } from './groups/groups-reports.js'
import { invitesCreate } from './authentication/invites-create.js'
import { keysRotate } from './authentication/keys-rotate.js'
import { migrateCommand } from './migrate.js'
import { openapi } from './openapi.js'
import { pageCommands } from './page-commands.js'
import { recovered } from './recovered.js'
import { schemaDump } from './schema-dump.js'
import { keysRotateProvider } from './federation/keys-rotate-provider.js'
import { peersPause, peersResume, peersRetry } from './federation/peers-lane.js'
import { peersList } from './federation/peers-list.js'
import { peersAllow, peersDeny, peersReset } from './federation/peers-policy.js'
import { peersTrust } from './federation/peers-trust.js'
import { reportsClose } from './federation/reports-close.js'
import { reportsList } from './federation/reports-list.js'

export const COMMANDS: readonly Command[] = [
  openapi,
  ...pageCommands,
  schemaDump,
  migrateCommand,
  recovered,
  doctor,
  accountsCreate,
  accountsDisable,
  invitesCreate,
  keysRotate,
  keysRotateProvider,
  groupsReports,
  reportsList,
  reportsClose,
  peersList,
  peersAllow,
  peersDeny,
  peersReset,
  peersPause,
  peersResume,
  peersRetry,
  peersTrust,
]
