import type { Client } from 'pg'
import { Secrets } from '../../../../platform/secrets/secrets.js'
import { readTokenKeys } from '../../../../authentication/keys/token-keys.repository.js'
import { TOKEN_KEY_PURPOSE } from '../../../../authentication/keys/token-key-replacement.js'
import { EXTERNAL_SENDER_PURPOSE } from '../../../../groups/external-sender/external-senders.js'
import { readSenderKeys } from '../../../../groups/external-sender/external-sender.repository.js'
import { PROVIDER_KEY_PURPOSE } from '../../../../federation/identity/provider-key-rotation.js'
import { readProviderKeys } from '../../../../federation/identity/provider-keys.repository.js'
import type { Config } from '../../../../platform/config/config.js'
import { ok, problem, type Finding } from '../finding.js'

/** A database restored beside the wrong SERVER_SECRET is the classic mistake, and shows late: when the first key must sign. */
export async function examineSealedKeys(client: Client, config: Config): Promise<Finding[]> {
  const secrets = new Secrets(config)
  const opens = (purpose: string, sealed: Uint8Array): boolean => {
    try {
      secrets.open(purpose, sealed)
      return true
    } catch {
      return false
    }
  }
  const keys = [
    ...(await readTokenKeys(client)).map((key) => opens(TOKEN_KEY_PURPOSE, key.sealedPrivate)),
    ...(await readSenderKeys(client)).map((key) => opens(EXTERNAL_SENDER_PURPOSE, key.sealedPrivate)),
    ...(await readProviderKeys(client)).map((key) => opens(PROVIDER_KEY_PURPOSE, key.sealedPrivate)),
  ]
  if (keys.length === 0) return [ok('No keys are sealed in this database yet.')]
  const closed = keys.filter((opened) => !opened).length
  if (closed === 0) return [ok('SERVER_SECRET opens the keys in this database.')]
  return [
    problem(`SERVER_SECRET does not open ${closed} of ${keys.length} keys in this database: it belongs to another. Find the right one.`),
  ]
}
