import { accountsCreate, accountsDisable } from './accounts.js'
import type { Command } from './command.js'
import { doctor } from './doctor/doctor.js'
import { groupsReports } from './groups.js'
import { invitesCreate } from './invites.js'
import { keysRotate, keysRotateProvider } from './keys.js'
import { migrateCommand, recovered } from './database.js'
import { openapi, pageCommands, schemaDump } from './generated-files.js'
import { peersPause, peersResume, peersRetry, peersList, peersAllow, peersDeny, peersReset, peersTrust } from './peers.js'
import { reportsClose, reportsList } from './reports.js'

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
