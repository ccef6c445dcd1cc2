import type { Client } from 'pg'
import { listPeers } from '../../../../federation/peers/peers.repository.js'
import { stoppedCursors } from '../../../../federation/push/cursors.repository.js'
import type { Config } from '../../../../platform/config/config.js'
import { ok, problem, warning, type Finding } from '../finding.js'

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
  if (url.startsWith('https:')) return ok(`Other providers are told to come to ${name}, over https.`)
  return warning(`${name} is not https: only providers that name it in FEDERATION_PEER_URLS ask here.`)
}

/** Either may mean that somebody else speaks for a provider. */
async function examineTrust(client: Client): Promise<Finding[]> {
  const alarms = (await listPeers(client)).filter(({ alarm }) => alarm !== null).length
  const { rows } = await client.query<{ entries: string }>('SELECT count(*) AS entries FROM equivocation')
  const equivocations = Number(rows[0]?.entries ?? 0)
  const findings: Finding[] = []
  if (alarms > 0)
    findings.push(
      problem(`${providers(alarms)} a directory that is not believed; the keys from before stay in force. See peers list, and ask them.`),
    )
  if (equivocations > 0)
    findings.push(
      problem(
        `A hub has shown two histories of a group, at ${equivocations} entries; both signatures are in the table equivocation. ` +
          'The groups are followed no further.',
      ),
    )
  return findings.length > 0 ? findings : [ok('No provider gives cause for doubt.')]
}

async function examineLanes(client: Client): Promise<Finding[]> {
  const stopped = (await stoppedCursors(client)).length
  if (stopped === 0) return [ok('No group is stopped towards another provider.')]
  const groups = stopped === 1 ? 'A group is' : `${stopped} groups are`
  return [problem(`${groups} stopped: the provider refuses what comes next. See peers list; peers retry once the cause is gone.`)]
}

function providers(count: number): string {
  return count === 1 ? 'A provider shows' : `${count} providers show`
}
