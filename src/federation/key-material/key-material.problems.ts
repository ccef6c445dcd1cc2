import { z } from 'zod'
import { Problem } from '../../platform/http/problem.js'
import type { KeyMaterialUserCode } from '../../protocol/mimi/key-material.js'
import { ProviderDomain } from '../../authentication/identifiers.dto.js'
import type { PeerAnswer } from '../outbound/signed-client.js'

/** The user's provider was asked, and gave no KeyPackages; another try may do. */
export class KeyMaterialUnavailable extends Problem {
  /** @param provider domain of the user's provider */
  constructor(provider: string) {
    super(503, 'key-material-unavailable', `${provider} gives no KeyPackages now.`, { provider })
    this.retryAfter = 5
  }
}

/** A claim that was signed too long ago, or by a clock that is ahead. */
export class RequestStale extends Problem {
  /** @param now milliseconds since 1970 */
  constructor(now: number) {
    super(422, 'request-stale', 'The request was not signed just now: sign it again.', { server_time: Math.floor(now / 1000) })
  }
}

/** Two providers of which one refuses the other, in a room of a third. */
export class ProvidersApart extends Problem {
  /** @param by domain of the provider that does not federate with `provider` */
  constructor(
    readonly by: string,
    readonly provider: string,
  ) {
    super(403, 'providers-apart', `${by} does not federate with ${provider}.`, { by, provider })
  }
}

/** Another provider, or the hub of the room, gives no KeyPackages, and says why. */
export class KeyMaterialRefused extends Problem {
  constructor(code: KeyMaterialUserCode) {
    const unknown = code === 'user-unknown' || code === 'user-deleted'
    super(unknown ? 404 : 403, code, 'The provider gives no KeyPackages of this user.')
  }
}

const TYPE = 'urn:microchat:problem:'
const Apart = z.object({ by: ProviderDomain, provider: ProviderDomain })

/**
 * What a hub says of the target's provider, or that one of us: as a problem for the one who asked. Undefined for everything else.
 * @param concerned domains that it may name: those of the request, and no others
 */
export function relayedKeyMaterialProblem(
  answer: PeerAnswer,
  concerned: { readonly target: string; readonly all: readonly string[] },
): Problem | undefined {
  if (answer.kind !== 'answered') return undefined
  if (answer.problem === `${TYPE}key-material-unavailable`) return new KeyMaterialUnavailable(concerned.target)
  if (answer.problem !== `${TYPE}providers-apart`) return undefined
  const { data } = Apart.safeParse(json(answer.body))
  const isConcerned = data && concerned.all.includes(data.by) && concerned.all.includes(data.provider)
  return isConcerned ? new ProvidersApart(data.by, data.provider) : undefined
}

function json(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString('utf8'))
  } catch {
    return undefined // not JSON
  }
}
