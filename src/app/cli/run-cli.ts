import { isError } from '../../platform/observability/is-error.js'
import { explainFailure } from '../explain-failure.js'
import { CliError, print, type Command } from './command.js'
import { accountsCreate, accountsDisable, accountsUsage } from './accounts.js'
import { accountsDelete, accountsEnable, accountsList, accountsRelease, accountsShow } from './account-life.js'
import { devicesList, devicesRevoke } from './devices.js'
import { doctor } from './doctor/doctor.js'
import { evidenceClose, evidenceExport, evidenceList, evidenceShow, evidenceVerify } from './evidence.js'
import { groupsReports } from './groups.js'
import { invitesCreate, invitesList, invitesRevoke } from './invites.js'
import { keysRetireSendTokens, keysRotate, keysRotateProvider, keysRotateX509, keysShowX509 } from './keys.js'
import { migrateCommand, recovered } from './database.js'
import { openapi, pageCommands, schemaDump } from './generated-files.js'
import { peersPause, peersResume, peersRetry, peersList, peersAllow, peersDeny, peersReset, peersTrust } from './peers.js'
import { peersTest } from './peers-test.js'
import { reportsClose, reportsList } from './reports.js'
import { roomsAssign, roomsRelease, roomsShow } from './rooms.js'

const COMMANDS: readonly Command[] = [
  openapi,
  ...pageCommands,
  schemaDump,
  migrateCommand,
  recovered,
  doctor,
  accountsCreate,
  accountsDisable,
  accountsDelete,
  accountsEnable,
  accountsList,
  accountsRelease,
  accountsShow,
  accountsUsage,
  devicesList,
  devicesRevoke,
  invitesCreate,
  invitesList,
  invitesRevoke,
  keysRotate,
  keysRotateProvider,
  keysRotateX509,
  keysShowX509,
  keysRetireSendTokens,
  groupsReports,
  roomsShow,
  roomsAssign,
  roomsRelease,
  reportsList,
  reportsClose,
  evidenceList,
  evidenceShow,
  evidenceExport,
  evidenceVerify,
  evidenceClose,
  peersList,
  peersAllow,
  peersDeny,
  peersReset,
  peersPause,
  peersResume,
  peersRetry,
  peersTrust,
  peersTest,
]

/** @returns the exit code */
export async function runCli(args: readonly string[]): Promise<number> {
  const command = COMMANDS.find(({ name }) => isPrefix(name.split(' '), args))
  if (!command) return help(args)
  try {
    await command.run(args.slice(command.name.split(' ').length))
    return 0
  } catch (error) {
    const forOperator = error instanceof CliError || isUsageError(error)
    process.stderr.write(`${forOperator ? error.message : explainFailure(error)}\n`)
    return 1
  }
}

function isPrefix(name: readonly string[], args: readonly string[]): boolean {
  return name.every((word, index) => word === args[index])
}

/** What node:util parseArgs throws for an unknown or incomplete option. */
function isUsageError(error: unknown): error is Error {
  return isError(error) && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')
}

function help(args: readonly string[]): number {
  const asked = args.length === 0 || args[0] === 'help' || args[0] === '--help'
  if (!asked) process.stderr.write(`There is no command ${args.slice(0, 2).join(' ')}.\n`)
  print(['Usage: node dist/cli.js COMMAND', '', ...[...COMMANDS].sort(byName).map(({ name, usage }) => `  ${name} ${usage}`)].join('\n'))
  return asked ? 0 : 1
}

function byName(a: Command, b: Command): number {
  return a.name.localeCompare(b.name)
}
