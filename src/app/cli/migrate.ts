import { directDatabaseUrl, loadConfig } from '../../platform/config/config.js'
import { migrate } from '../../platform/postgres/migrate.js'
import { print, type Command } from './command.js'

export const migrateCommand: Command = {
  name: 'migrate',
  usage: '                       Bring the database of DATABASE_URL to this release.',
  async run() {
    const applied = await migrate(directDatabaseUrl(loadConfig(process.env)))
    print(applied.length === 0 ? 'The database is up to date.' : `Applied: ${applied.join(', ')}`)
  },
}
