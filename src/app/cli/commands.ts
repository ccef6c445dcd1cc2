import type { Command } from './command.js'
import { configDocs } from './config-docs.js'
import { doctor } from './doctor.js'
import { migrateCommand } from './migrate.js'
import { openapi } from './openapi.js'
import { recovered } from './recovered.js'

export const COMMANDS: readonly Command[] = [openapi, configDocs, migrateCommand, recovered, doctor]
