import type { Client } from 'pg'
import type { Config } from '../../../../platform/config/config.js'
import { Secrets } from '../../../../platform/secrets.js'
import { MigrationError, pendingMigrations } from '../../../../platform/postgres/migrate.js'
import { listPeers } from '../../../../federation/peers/peers.repository.js'
import { countEvidence } from '../../../../federation/evidence/evidence.repository.js'
import { waitingCursors } from '../../../../federation/push/cursors.repository.js'
import { describeClosed, examineKeys } from '../../../operations/sealed-keys-check.js'
import { describeOtherDomain, readDomain } from '../../../operations/stored-domain.repository.js'
import { ok, problem, type Finding, warning } from '../finding.js'

/** Whether this release could start: asks what `migrate` would apply, and applies nothing. */
export async function examineMigrations(client: Client): Promise<Finding[]> {
  try {
    const pending = await pendingMigrations(client)
    if (pending.length === 0) return [ok('All migrations and functions are applied.')]
    return [problem(`${pending.length} migrations or files of functions are not applied. Run: node dist/cli.js migrate`)]
  } catch (error) {
    if (error instanceof MigrationError) return [problem(error.message)]
    throw error
  }
}

/** A deployment's second database, or a copied file of settings. */
export async function examineDomain(client: Client, { DOMAIN }: Config): Promise<Finding[]> {
  const stored = await readDomain(client)
  if (stored === undefined) return [ok('No server has started on this database yet.')]
  return [stored === DOMAIN ? ok('DOMAIN is that of this database.') : problem(describeOtherDomain(stored, DOMAIN))]
}

/** A database restored with the wrong SERVER_SECRET is the classic mistake. */
export async function examineSealedKeys(client: Client, config: Config): Promise<Finding[]> {
  const found = await examineKeys(client, new Secrets(config))
  if (found.total === 0) return [ok('No keys are sealed in this database yet.')]
  return [found.closed === 0 ? ok('SERVER_SECRET opens the keys in this database.') : problem(describeClosed(found))]
}

/** What the database knows of other providers. Which ones is for `peers list`: a report may be passed on. */
export async function examineFederation(client: Client, { FEDERATION, FEDERATION_URL, PUBLIC_URL }: Config): Promise<Finding[]> {
  if (FEDERATION === 'off') return [ok('This server does not federate (FEDERATION is off).')]
  return [
    FEDERATION_URL ? examineAddress('FEDERATION_URL', FEDERATION_URL) : examineAddress('PUBLIC_URL', PUBLIC_URL),
    ...(await examineTrust(client)),
    ...(await examineLanes(client)),
  ]
}

function examineAddress(name: string, url: string | undefined): Finding {
  if (!url)
    return problem('FEDERATION is on without PUBLIC_URL: the directory tells other providers an address that only this machine knows.')
  if (url.startsWith('https:')) return ok(`Other providers connect to ${name}, over https.`)
  return warning(`${name} is not https: only providers that name it in FEDERATION_PEER_URLS ask here.`)
}

/** Either may mean that somebody else speaks for a provider. */
async function examineTrust(client: Client): Promise<Finding[]> {
  const alarms = (await listPeers(client)).filter(({ alarm }) => alarm !== null).length
  const found = await countEvidence(client)
  const stopped = found.reduce((sum, one) => sum + one.stopped, 0)
  const findings: Finding[] = []
  if (alarms > 0)
    findings.push(
      problem(`${providers(alarms)} a directory that is not believed; what was known before stays in force. See peers list, and ask them.`),
    )
  if (stopped > 0)
    findings.push(
      problem(
        `${stopped} ${stopped === 1 ? 'group is' : 'groups are'} followed no further, since its hub has contradicted itself or rewritten its history. ` +
          'See evidence list; evidence close, once its operator has explained it.',
      ),
    )
  else if (found.length > 0) findings.push(warning('Hubs have taken entries back or contradicted themselves. See evidence list.'))
  return findings.length > 0 ? findings : [ok('No provider gives cause for doubt.')]
}

async function examineLanes(client: Client): Promise<Finding[]> {
  const stopped = (await waitingCursors(client)).filter((cursor) => cursor.stopped).length
  if (stopped === 0) return [ok('No group is stopped towards another provider.')]
  const groups = stopped === 1 ? 'A group is' : `${stopped} groups are`
  return [problem(`${groups} stopped: the provider refuses what comes next. See peers list; peers retry once the cause is gone.`)]
}

function providers(count: number): string {
  return count === 1 ? 'A provider shows' : `${count} providers show`
}

const SHOWN_GROUPS = 10

/**
 * Groups that let devices in without a member: by their policy the server alone says who comes in, so an attacker who gets hold of it, or of a user's
 * session, can. Those of an earlier release have `same-user` by default.
 */
export async function examineJoins(client: Client): Promise<Finding[]> {
  const { rows } = await client.query<{ policy: string; mode: string; groups: string; ids: string[] }>(
    `SELECT p.external_join AS policy, g.mode, count(*) AS groups,
            (array_agg(translate(rtrim(encode(g.group_id, 'base64'), '='), E'+/\n', '-_') ORDER BY g.gid DESC))[1:${SHOWN_GROUPS}] AS ids
       FROM group_policy p JOIN groups g ON g.gid = p.gid
      WHERE g.deleted_at IS NULL AND (p.external_join = 'same-user' OR p.external_join = 'open' AND g.mode = 'private')
      GROUP BY 1, 2 ORDER BY 1, 2`,
  )
  if (rows.length === 0) return [ok('No group lets devices in that its members have not let in.')]
  return rows.map(({ policy, mode, groups, ids }) =>
    warning(
      `${groups} ${mode} ${groups === '1' ? 'group lets' : 'groups let'} devices join without a member (external_join ${policy}): ` +
        `${ids.join(', ')}${Number(groups) > ids.length ? ', …' : ''}. Their admins can set it to none.`,
    ),
  )
}

/** Sizes, to plan by. Counts are the planner's estimates: counting a large table takes minutes. */
export async function examineFacts(client: Client): Promise<Finding[]> {
  const { rows } = await client.query<{ size: string; log: string; groups: string; entries: string; members: string }>(
    `SELECT pg_size_pretty(pg_database_size(current_database())) AS size,
            (SELECT pg_size_pretty(coalesce(sum(pg_total_relation_size(inhrelid)), 0)) FROM pg_inherits
              WHERE inhparent = 'log'::regclass) AS log,
            (SELECT count(*) FROM (SELECT 1 FROM groups WHERE deleted_at IS NULL LIMIT 1000000) g) AS groups,
            (SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid
              WHERE i.inhparent = 'log'::regclass) AS entries,
            (SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'member'::regclass) AS members`,
  )
  const row = rows[0]
  if (!row) return []
  return [
    ok(
      `The database takes ${row.size}, of it ${row.log} for some ${row.entries} log entries; ${row.groups} groups, some ${row.members} memberships.`,
    ),
  ]
}
