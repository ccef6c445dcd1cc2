import type { Client } from 'pg'
import type { Config } from '../../../../platform/config/config.js'
import { Secrets } from '../../../../platform/secrets/secrets.js'
import { describeClosed, examineKeys } from '../../../operations/sealed-keys.js'
import { describeOtherDomain, readDomain } from '../../../operations/stored-domain.repository.js'
import { ok, problem, type Finding } from '../finding.js'

/** A deployment's second database, or a copied file of settings. */
export async function examineDomain(client: Client, { DOMAIN }: Config): Promise<Finding[]> {
  const stored = await readDomain(client)
  if (stored === undefined) return [ok('No server has started on this database yet.')]
  return [stored === DOMAIN ? ok('DOMAIN is that of this database.') : problem(describeOtherDomain(stored, DOMAIN))]
}

/** A database restored beside the wrong SERVER_SECRET is the classic mistake. */
export async function examineSealedKeys(client: Client, config: Config): Promise<Finding[]> {
  const found = await examineKeys(client, new Secrets(config))
  if (found.total === 0) return [ok('No keys are sealed in this database yet.')]
  return [found.closed === 0 ? ok('SERVER_SECRET opens the keys in this database.') : problem(describeClosed(found))]
}
