import { Inject, Injectable } from '@nestjs/common'
import { TOKEN_KEY_PURPOSE } from '../../authentication/keys/token-key-rotation.js'
import { readTokenKeys } from '../../authentication/keys/token-keys.repository.js'
import { AUTHORITY_PURPOSE } from '../../authentication/x509/authority-rotation.js'
import { readAuthorities } from '../../authentication/x509/authorities.repository.js'
import { PROVIDER_KEY_PURPOSE } from '../../federation/identity/provider-key-rotation.js'
import { readProviderKeys } from '../../federation/identity/provider-keys.repository.js'
import { EXTERNAL_SENDER_PURPOSE } from '../../groups/external-sender/external-senders.js'
import { readExternalSenderKeys } from '../../groups/external-sender/external-sender.repository.js'
import { CONFIG, ConfigError, type Config } from '../../platform/config/config.js'
import { Readiness } from '../../platform/observability/readiness.js'
import type { Sql } from '../../platform/postgres/sql.js'
import { Secrets } from '../../platform/secrets.js'
import { ISSUER_KEY_PURPOSE } from '../../tokens/keys/issuer-key-rotation.js'
import { readIssuerKeys } from '../../tokens/keys/issuer-keys.repository.js'

/** How SERVER_SECRET and the private keys in the database go together. */
export interface SealedKeys {
  total: number
  /** Those that SERVER_SECRET does not open. */
  closed: number
  /** Nothing can be signed: the token key that signs now stays closed, or all of them do. */
  useless: boolean
}

/** Tries to open each private key that the database holds: of access tokens, external senders, this provider, the token issuer and X.509 authorities. */
export async function examineKeys(sql: Sql, secrets: Secrets): Promise<SealedKeys> {
  const opens = (purpose: string, sealed: Uint8Array): boolean => {
    try {
      secrets.open(purpose, sealed)
      return true
    } catch {
      return false
    }
  }
  const tokenKeys = await readTokenKeys(sql)
  const opened = [
    ...tokenKeys.map((key) => opens(TOKEN_KEY_PURPOSE, key.sealedPrivate)),
    ...(await readExternalSenderKeys(sql)).map((key) => opens(EXTERNAL_SENDER_PURPOSE, key.sealedPrivate)),
    ...(await readProviderKeys(sql)).map((key) => opens(PROVIDER_KEY_PURPOSE, key.sealedPrivate)),
    ...(await readIssuerKeys(sql)).map((key) => opens(ISSUER_KEY_PURPOSE, key.sealedPrivate)),
    // Of an operator's authority the key is not here.
    ...(await readAuthorities(sql)).flatMap(({ sealedPrivate }) => (sealedPrivate ? [opens(AUTHORITY_PURPOSE, sealedPrivate)] : [])),
  ]
  const closed = opened.filter((one) => !one).length
  const cannotSign = tokenKeys.some((key) => key.signs && !opens(TOKEN_KEY_PURPOSE, key.sealedPrivate))
  return { total: opened.length, closed, useless: cannotSign || (opened.length > 0 && closed === opened.length) }
}

/** One sentence for start and doctor. */
export function describeClosed({ closed, total }: SealedKeys): string {
  return `SERVER_SECRET does not open ${closed} of ${total} keys in this database: it belongs to another. Find the right one.`
}

/**
 * A node that can sign nothing would take logins, and answer each with 500.
 * @throws ConfigError
 */
export async function refuseWrongSecret(sql: Sql, config: Pick<Config, 'SERVER_SECRET'>): Promise<void> {
  const found = await examineKeys(sql, new Secrets(config))
  if (found.useless) throw new ConfigError([`${describeClosed(found)} If it is lost, "keys rotate --now" makes a new token key.`])
}

/** The same while the server runs: a database can be restored under it. */
@Injectable()
export class SealedKeysCheck {
  constructor(@Inject(CONFIG) config: Config, readiness: Readiness) {
    const secrets = new Secrets(config)
    readiness.require('keys', async (sql) => ((await examineKeys(sql, secrets)).useless ? 'failing' : 'ok'))
  }
}
