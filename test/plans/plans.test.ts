import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { execute } from './executed.js'
import { HOT_CALLS } from './hot-calls.js'
import { findWalks, type PlanNode } from './plan.js'
import { gatherStatistics, startPlanDatabase } from './plan-database.js'
import { collectStatements, type Collected } from './statements.js'

/** Statements that read what grows with the service, and why they may. One that no longer does has to go from this list. */
const MAY_WALK: Readonly<Record<string, { walks: string[]; why: string }>> = {
  'retention:readFloorMoves': {
    walks: ['log of a whole group'],
    why: 'hourly; ends at the first young entry, and what stands before it goes then',
  },
  'retention:readRetirable': {
    walks: ['log of a whole group', 'member of a whole group'],
    why: 'hourly; ends at the first young entry; asks how far each member has read, former ones included',
  },
  'group-storage:markOverQuota': {
    walks: ['all of groups, by its index', 'all of groups_by_payer, by its index'],
    why: 'hourly; adds up what each account keeps',
  },
  'welcomes:havingAcknowledgedWelcomes': {
    walks: ['all of welcome'],
    why: 'hourly; Welcomes are few, as they go with their acknowledgement',
  },
  'remains:countRemains': { walks: ['all of group_remains'], why: 'has a row for each deleted group whose rows are still being deleted' },
  'remains:groupsWithRemains': { walks: ['all of group_remains'], why: 'the same' },
  'device-news:deleteOldNews': { walks: ['all of device_news'], why: 'has the rows of fifteen minutes' },
  nonces: { walks: ['all of federation_nonce'], why: 'asks for one row of one partition' },
  'apart:deleteOldRefusals': { walks: ['all of provider_refusal'], why: 'has ten thousand rows at most' },
  'apart:forgetRefusal': { walks: ['all of provider_refusal'], why: 'the same, and none in the database of this test' },
  'apart:refusalsAmong': { walks: ['all of provider_refusal'], why: 'the same' },
  'cursors:duePeers': {
    walks: ['all of groups', 'all of peer_cursor', 'all of peer_deletion', 'all of peer_erasure'],
    why: 'one worker, every SWEEP_INTERVAL; whether a group is due shows only with its head',
  },
  'outgoing:readPresence': {
    walks: ['all of device', 'member of a whole group'],
    why: 'only for a peer that was out of the group and is behind',
  },
  'personal-data:eraseRows': {
    walks: ['all of foreign_user', 'all of identity_notice', 'all of peer_user_storage', 'all of replica_storage'],
    why: 'a job; they have few rows in the database of this test',
  },
  'identity-notices:tellOfIdentity': {
    walks: ['all of identity_notice', 'all of identity_notice, by its index'],
    why: 'a job, which takes the first row of it',
  },
  'replica-storage:listPeerStorage': { walks: ['all of peer_storage'], why: "an operator's command" },
  'replica-storage:sumPeerStorage': { walks: ['all of peer_storage'], why: 'a scrape of metrics; has a row for each other provider' },
  'abuse-reports:listAbuseReports': { walks: ['all of abuse_report, by its index'], why: "an operator's command" },
  'cursors:waitingCursors': { walks: ['all of groups', 'all of peer_cursor'], why: "an operator's command" },
  'deletions:refusedDeletions': { walks: ['all of peer_deletion'], why: "an operator's command" },
  'evidence:countEvidence': { walks: ['all of evidence'], why: "an operator's command" },
  'evidence:listEvidence': { walks: ['all of evidence, by its index'], why: "an operator's command" },
  'evidence:keepEvidence': { walks: ['all of evidence'], why: 'once for each contradiction of a hub, of which it has a row' },
  'evidence:forgetEvidence': { walks: ['all of evidence'], why: 'hourly; has a row for each contradiction of a hub' },
  'kept-heads:forgetHeads': { walks: ['all of kept_head'], why: 'hourly; has a row for some hundred entries' },
  'kept-directories:forgetDirectories': {
    walks: ['all of followed_group', 'all of kept_directory', 'all of kept_head', 'all of peer_deletion', 'all of peer_erasure'],
    why: 'hourly; asks whether anything rests on a directory',
  },
  'incarnations:forgetIncarnations': {
    walks: ['all of incarnation_begun', 'all of vanished_entry'],
    why: 'hourly; has a row for each restore of a hub and group',
  },
  'reports:reportedCommits': { walks: ['all of commit_report'], why: "an operator's command" },
  'room-administration:groupsOfRoom': { walks: ['all of groups'], why: "an operator's command" },
}

/** The same while there are no statistics, for which PostgreSQL takes most rows to be revoked. */
const MAY_WALK_AT_FIRST: typeof MAY_WALK = {
  'room-administration:groupsOfRoom': { walks: ['all of account', 'all of groups'], why: "an operator's command" },
  'evidence:countEvidence': { walks: ['all of evidence_open, by its index'], why: "an operator's command" },
  'administration:listAccounts': { walks: ['all of account'], why: "an operator's command" },
  'accounts:findUnfinishedDisabling': { walks: ['all of account'], why: 'a job' },
  'deletion:forgetDeletedUnknown': { walks: ['all of followed_group_found, by its index'], why: 'a job; of what nobody has joined' },
  'token-issuers:forgetIssuers': {
    walks: ['all of token_issuer'],
    why: 'a job; has a row for each hub whose tokens users here have asked for',
  },
  'device-lists:endCertificates': { walks: ['all of signature_key'], why: 'a change of a device list' },
  'device-lists:endIdentity': {
    walks: ['all of device_certificate_active, by its index', 'all of signature_key'],
    why: 'a new identity, which an operator lets begin',
  },
  'foreign-device-lists:dropUnwantedCopies': { walks: ['all of foreign_device_list'], why: 'a job' },
  'removal:unproposedRemovals': { walks: ['all of account', 'all of device'], why: 'a job' },
  'revoked-members:revokedMembers': { walks: ['all of account', 'all of device'], why: 'a job' },
}

/** Functions that only a command or a replica after a restore calls, and those that PostgreSQL does not count: put into their callers, or of an aggregate. */
const NOT_COUNTED = [
  'recovered',
  'held_bytes',
  'lock_group_id',
  'try_lock_group_id',
  'key_package_fits',
  'log_chain_step',
  'mls_id',
  'provider_of',
]

/** A statement that calls a function has the pages of all in it. Each level of an index is a page, and so is each row. */
const PAGES = 600
const PAGES_PER_ROW = 30
const REMOVED = 120

let database: Awaited<ReturnType<typeof startPlanDatabase>>
let collected: Collected
beforeAll(async () => {
  database = await startPlanDatabase()
  collected = await collectStatements()
})
afterAll(() => database?.stop())

test('every statement of the product is collected', () => {
  expect(collected.failed).toEqual([])
  expect(collected.unreached).toEqual([])
  expect(collected.statements.length).toBeGreaterThan(200)
})

test('every call of a function names its parameters', async () => {
  const { rows } = await database.pool.query<{ name: string }>(
    `SELECT DISTINCT proname AS name FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proargnames[1] LIKE 'p\\_%'`,
  )
  expect(rows.length).toBeGreaterThan(10)
  const unnamed = rows.flatMap(({ name }) =>
    collected.statements
      .filter(({ text }) => new RegExp(`\\b${name}\\((?!p_\\w+ => |\\))`).test(text))
      .map(({ by }) => `${by} calls ${name}`),
  )
  expect(unnamed).toEqual([])
})

/** Generic plans, since the role forces them; statements that have no plan (BEGIN, TRUNCATE) aside. */
async function walksOfAll(): Promise<Map<string, Set<string>>> {
  const walks = new Map<string, Set<string>>()
  for (const { by, text } of collected.statements) {
    if (!/^\s*(SELECT|WITH|INSERT|UPDATE|DELETE)\b/.test(text)) continue
    const { rows } = await database.pool.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(`EXPLAIN (GENERIC_PLAN, FORMAT JSON) ${text}`)
    const found = findWalks(rows[0]!['QUERY PLAN'][0].Plan)
    if (found.length > 0) walks.set(by, new Set([...(walks.get(by) ?? []), ...found]))
  }
  return walks
}

const excess = (walks: Map<string, Set<string>>, allowed: typeof MAY_WALK): string[] =>
  [...walks].flatMap(([by, found]) => [...found].filter((walk) => !allowed[by]?.walks.includes(walk)).map((walk) => `${by} reads ${walk}`))

describe('the plan of every statement', () => {
  const seen = new Map<string, Set<string>>()
  const look = async () => {
    const walks = await walksOfAll()
    for (const [by, found] of walks) seen.set(by, new Set([...(seen.get(by) ?? []), ...found]))
    return walks
  }

  test('leads to its rows by an index in a young database, without statistics', async () => {
    expect(excess(await look(), { ...MAY_WALK, ...MAY_WALK_AT_FIRST })).toEqual([])
  })

  test('leads to its rows by an index with statistics', async () => {
    await gatherStatistics(database.pool)
    expect(excess(await look(), MAY_WALK)).toEqual([])
  })

  test('is no better than the exceptions say', () => {
    const expected = Object.entries({ ...MAY_WALK, ...MAY_WALK_AT_FIRST }).flatMap(([by, { walks }]) =>
      walks.map((walk) => `${by}: ${walk}`),
    )
    expect(expected.filter((entry) => !seen.get(entry.split(': ')[0]!)?.has(entry.split(': ')[1]!))).toEqual([])
  })
})

describe('what is executed looks at few pages and throws few rows away, inside functions too', () => {
  test.each(Object.entries(HOT_CALLS))('%s', async (_, { call, rows = 0 }) => {
    const executions = await execute(database.pool, call)
    expect(executions.length).toBeGreaterThan(0)
    const expensive = executions.filter(
      (one) => one.pages > PAGES + PAGES_PER_ROW * (one.rows + rows) || one.removed > REMOVED + 2 * (one.rows + rows),
    )
    expect(expensive.map(({ text, ...cost }) => `${JSON.stringify(cost)} ${text.slice(0, 200)}`)).toEqual([])
  })

  test('so every function has been executed', async () => {
    await database.pool.query('SELECT pg_stat_force_next_flush()')
    const { rows } = await database.pool.query<{ name: string }>(
      `SELECT p.proname AS name FROM pg_proc p LEFT JOIN pg_stat_user_functions s ON s.funcid = p.oid
        WHERE p.pronamespace = 'public'::regnamespace AND p.prokind = 'f' AND coalesce(s.calls, 0) = 0 ORDER BY 1`,
    )
    expect(rows.map(({ name }) => name)).toEqual([...NOT_COUNTED].sort())
  })
})
