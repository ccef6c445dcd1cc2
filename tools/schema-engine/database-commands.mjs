import pg from 'pg'

/** `cli can-connect-to-database | create-database | drop-database`. Returns the exit code; failures go to stderr as Prisma reads them. */
export async function runDatabaseCommand(command, url) {
  const target = new URL(url)
  const name = decodeURIComponent(target.pathname.slice(1))
  try {
    if (command === 'can-connect-to-database') await query(url)
    else if (command === 'create-database') await query(maintenanceUrl(target), `CREATE DATABASE ${pg.escapeIdentifier(name)}`)
    else if (command === 'drop-database') await query(maintenanceUrl(target), `DROP DATABASE ${pg.escapeIdentifier(name)}`)
    else return fail('P0000', `Unknown command ${command}`)
    return 0
  } catch (error) {
    if (error.code === '3D000') return fail('P1003', `Database \`${name}\` does not exist`)
    return fail('P1001', `Can't reach database server at \`${target.host}\`: ${error.message}`)
  }
}

function maintenanceUrl(target) {
  const url = new URL(target)
  url.pathname = '/postgres'
  return url.href
}

async function query(connectionString, text) {
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    if (text) await client.query(text)
  } finally {
    await client.end()
  }
}

function fail(code, message) {
  const fields = { error_code: code, message }
  process.stderr.write(`\n${JSON.stringify({ level: 'ERROR', target: 'schema_engine::logger', fields })}\n`)
  return 1
}
