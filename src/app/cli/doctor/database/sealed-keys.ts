import type { Client } from 'pg'
import type { Config } from '../../../../platform/config/config.js'
import { Secrets } from '../../../../platform/secrets/secrets.js'
import { describeClosed, examineKeys } from '../../../operations/sealed-keys.js'
import { ok, problem, type Finding } from '../finding.js'

/** A database restored beside the wrong SERVER_SECRET is the classic mistake. */
export async function examineSealedKeys(client: Client, config: Config): Promise<Finding[]> {
  const found = await examineKeys(client, new Secrets(config))
  if (found.total === 0) return [ok('No keys are sealed in this database yet.')]
  return [found.closed === 0 ? ok('SERVER_SECRET opens the keys in this database.') : problem(describeClosed(found))]
}
