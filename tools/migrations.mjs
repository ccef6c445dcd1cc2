/**
 * `npm run verify`: no new migration keeps a running server from writing to a table that may be large, and none scans one under a lock
 * (CONTRIBUTING.md, "Changing the database"). Says each fault with the migration and the statement.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** The last one that is older than the rules. */
const LAST_BEFORE = '20261130030400_identities'

/** They do what a rule forbids, and stay as they are: why. */
const EXCEPTIONS = new Map([
  ['20261130050100_budgets', 'writes the few cursors that are stopped'],
  ['20261130051110_foreign_users', 'counts all devices of other providers once; older than this rule'],
  [
    '20261130051300_evidence',
    'drops what one release before wrote: providers that federate stop all nodes for it (operator guide); older than this rule',
  ],
  ['20261130052200_draft_dialect', 'writes rows of groups of the draft only, which no release had'],
])

/** Tables with a row for each peer, key or setting, which are rewritten in no time. */
const SMALL = new Set(
  'peer peer_key peer_past_key provider_key provider_directory external_sender_key token_signing_key issuer_key deployment function_file'.split(
    ' ',
  ),
)

const IN_USE = 'nodes of the release before use it: leave it, and remove it in the next release'
const ELSEWHERE = 'in a migration of its own: CREATE INDEX CONCURRENTLY IF NOT EXISTS'
/** What of an ALTER TABLE holds the table while all rows are read or written. */
const SCANS = [
  [
    /\bADD (?:CONSTRAINT \w+ )?(?:CHECK|FOREIGN KEY)\b(?!.*\bNOT VALID\b)/is,
    'checks all rows: add NOT VALID, and VALIDATE CONSTRAINT in a later migration',
  ],
  [/\bADD (?:CONSTRAINT \w+ )?(?:UNIQUE|PRIMARY KEY)\b(?! USING INDEX\b)/is, `builds an index: ${ELSEWHERE}, then ADD … USING INDEX`],
  [/\bADD (?:CONSTRAINT \w+ )?EXCLUDE\b/is, 'builds an index'],
  [/\bADD COLUMN\b.*\b(?:CHECK|UNIQUE|PRIMARY KEY)\b/is, 'checks all rows: add the constraint by itself'],
  [/\bADD COLUMN\b.*\b(?:GENERATED|gen_random_uuid|random|clock_timestamp|nextval|serial|bigserial)\b/is, 'writes all rows'],
  [
    /\bADD COLUMN\b(?!.*\bDEFAULT\b).*\bNOT NULL\b/is,
    'has no value for the rows that there are, nor for those of the release before: give it a DEFAULT',
  ],
  [/\bALTER (?:COLUMN )?\w+ (?:SET DATA )?TYPE\b/is, 'writes all rows: add a column'],
  [/\bSET NOT NULL\b/is, 'reads all rows: ADD CONSTRAINT … CHECK (… IS NOT NULL) NOT VALID, and VALIDATE CONSTRAINT in a later migration'],
]

/** @param {string} sql a migration @returns {string[]} what is wrong with it, in words */
export function faultsOf(sql) {
  const statements = statementsOf(sql)
  const made = new Set(statements.flatMap((one) => /^CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?(\w+)/i.exec(one)?.[1] ?? []))
  const isFree = (table) => made.has(table) || SMALL.has(table)
  return statements.flatMap((one) => [
    ...faultsOfIndex(one, isFree, statements.length),
    ...faultsOfAlter(one, isFree, statements),
    ...faultsOfRemoval(one, made),
    ...faultsOfWrite(one, isFree),
  ])
}

function faultsOfIndex(statement, isFree, count) {
  const index = /^CREATE (?:UNIQUE )?INDEX (CONCURRENTLY )?(IF NOT EXISTS )?(?:\w+ )?ON (?:ONLY )?(?:public\.)?(\w+)/i.exec(statement)
  if (index === null) return []
  const [, concurrently, ifNotExists, table] = index
  if (concurrently === undefined) return isFree(table) ? [] : [`${table}: an index that blocks writes while it is built; ${ELSEWHERE}`]
  return count > 1 || ifNotExists === undefined
    ? [`${table}: an index that is built concurrently is alone in its migration, and IF NOT EXISTS`]
    : []
}

function faultsOfAlter(statement, isFree, statements) {
  const altered = /^ALTER TABLE (?:IF EXISTS )?(?:ONLY )?(?:public\.)?(\w+) (.*)$/is.exec(statement)
  if (altered === null || isFree(altered[1])) return []
  const [, table, actions] = altered
  const faults = actionsOf(actions).flatMap((action) =>
    SCANS.flatMap(([pattern, says]) => (pattern.test(action) ? [`${table}: ${says}`] : [])),
  )
  const [, validated] = /\bVALIDATE CONSTRAINT (\w+)/i.exec(actions) ?? []
  const isNew = validated !== undefined && statements.some((one) => new RegExp(`ADD CONSTRAINT ${validated}\\b`, 'i').test(one))
  return isNew ? [...faults, `${table}: VALIDATE CONSTRAINT reads all rows, so it is for a later migration than the constraint`] : faults
}

/** Nodes of the release before run beside the new ones, and use what they know (CONTRIBUTING.md). */
function faultsOfRemoval(statement, made) {
  const dropped = /^DROP TABLE (?:IF EXISTS )?(?:public\.)?(\w+)/i.exec(statement)?.[1]
  if (dropped !== undefined) return made.has(dropped) ? [] : [`${dropped}: ${IN_USE}`]
  const [, table, actions] = /^ALTER TABLE (?:IF EXISTS )?(?:ONLY )?(?:public\.)?(\w+) (.*)$/is.exec(statement) ?? []
  if (table === undefined || made.has(table)) return []
  return actionsOf(actions).flatMap((action) => (/^(?:DROP (?!CONSTRAINT|DEFAULT)|RENAME )/i.test(action) ? [`${table}: ${IN_USE}`] : []))
}

function faultsOfWrite(statement, isFree) {
  const [, table] = /^(?:UPDATE (?:ONLY )?|DELETE FROM (?:ONLY )?)(?:public\.)?(\w+)/i.exec(statement) ?? []
  return table === undefined || isFree(table) ? [] : [`${table}: writes its rows in one transaction: a job does that in steps`]
}

/** Statements without comments, literals and bodies of functions, each on one line. */
function statementsOf(sql) {
  const bare = sql
    .replaceAll(/(\$\w*\$).*?\1/gs, "''")
    .replaceAll(/--[^\n]*/g, '')
    .replaceAll(/\/\*.*?\*\//gs, '')
    .replaceAll(/'(?:[^']|'')*'/g, "''")
    .replaceAll('"', '')
    .replaceAll(/\s+/g, ' ')
  return bare.split(';').flatMap((one) => (one.trim() === '' ? [] : [one.trim()]))
}

/** Divides at commas that are in no parentheses. */
function actionsOf(text) {
  const actions = ['']
  let depth = 0
  for (const character of text) {
    if (character === '(') depth++
    if (character === ')') depth--
    if (character === ',' && depth === 0) actions.push('')
    else actions[actions.length - 1] += character
  }
  // SQL leaves the word COLUMN to the writer.
  return actions.map((one) => one.trim().replace(/^ADD (?!COLUMN|CONSTRAINT|CHECK|FOREIGN|UNIQUE|PRIMARY|EXCLUDE)/i, 'ADD COLUMN '))
}

function check() {
  const folder = join(import.meta.dirname, '..', 'prisma', 'migrations')
  const names = readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
  const faults = names
    .filter((name) => name > LAST_BEFORE)
    .filter((name) => !EXCEPTIONS.has(name))
    .flatMap((name) => faultsOf(readFileSync(join(folder, name, 'migration.sql'), 'utf8')).map((fault) => `${name}: ${fault}`))
  for (const fault of faults) console.error(fault)
  process.exitCode = faults.length > 0 ? 1 : 0
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) check()
