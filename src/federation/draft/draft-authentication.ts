import { Inject, Injectable } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { NotFound, Problem, Unavailable } from '../../platform/http/problem.js'
import { fromDomain } from '../../protocol/http-signature/profile.js'
import { ProfileUnsupported, SignatureRefused } from '../inbound/inbound.problems.js'
import { certificateFault, hostOf, shownOn } from './certificate-trust.js'
import { DraftDirectories } from './draft-directories.js'
import { isRouteOf } from './draft-endpoints.js'
import { DraftListener } from './draft-listener.js'
import { DraftPeers } from './draft-peers.js'

/** The connection does not show that the request is of the provider in From. */
export class CertificateRefused extends Problem {
  constructor(detail: string) {
    super(403, 'certificate-refused', detail)
  }
}

/** Whether a request of the draft's listener is of whom it says: by the certificate of its connection (draft-ietf-mimi-protocol-06, Transport layer). */
@Injectable()
export class DraftAuthentication {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly listener: DraftListener,
    private readonly peers: DraftPeers,
    private readonly directories: DraftDirectories,
  ) {}

  /** Whether the request came in by the listener with mutual TLS, where signatures count for nothing. */
  isDraft({ raw }: Pick<FastifyRequest, 'raw'>): boolean {
    return this.listener.connectionOf(raw) !== undefined
  }

  /**
   * What is said and shown, judged by settings alone: no other provider is asked.
   * @returns the provider's domain
   * @throws NotFound at an endpoint that the draft does not have; SignatureRefused for another target; CertificateRefused
   */
  domainOf({ raw, routeOptions }: Pick<FastifyRequest, 'raw' | 'routeOptions'>): string {
    if (!isRouteOf('draft', routeOptions.url ?? '')) throw new NotFound()
    if (!this.isForUs(raw.headers.host)) throw new SignatureRefused('target-mismatch', 'Host names another provider.')
    const domain = onlyOne(raw.rawHeaders, 'from') ? fromDomain(raw.headers) : undefined
    if (domain === undefined) throw new CertificateRefused('From is not mimi@<domain>, once.')
    const connection = this.listener.connectionOf(raw)
    const shown = connection && shownOn(connection)
    if (!shown) throw new CertificateRefused('The connection shows no certificate.')
    const trust = this.peers.trustOf(domain)
    // The same for a stranger and for a wrong certificate: who is a peer here is nobody else's business.
    if (!trust) throw new CertificateRefused('The certificate is not one that is known for the provider.')
    const fault = certificateFault(shown, domain, trust, new Date())
    if (fault !== undefined) throw new CertificateRefused(fault)
    return domain
  }

  /**
   * Whom the operator knows by a certificate, no signature makes known: who has taken over its name could show keys of his own. It is judged by what
   * is known, as nothing of the request is verified yet: nobody waits for a fetch.
   * @throws ProfileUnsupported; Unavailable while the peer's directory has not been seen
   */
  refuseSignaturesOf(domain: string): void {
    if (!this.peers.has(domain)) return
    const directory = this.directories.known(domain)
    if (!directory) throw new Unavailable('The directory of the provider is being fetched.')
    if (!directory.isSigned) throw new ProfileUnsupported()
  }

  /** Host names the target; its port is ignored. The host of the endpoints' URLs counts, too. */
  private isForUs(host: string | undefined): boolean {
    if (host === undefined) return false
    const name = hostOf(host.toLowerCase())
    return name === hostOf(this.config.DOMAIN) || name === new URL(this.listener.url ?? 'https://localhost').hostname
  }
}

/** Of some fields Node keeps the first line only. */
function onlyOne(raw: readonly string[], name: string): boolean {
  return raw.filter((field, index) => index % 2 === 0 && field.toLowerCase() === name).length === 1
}
