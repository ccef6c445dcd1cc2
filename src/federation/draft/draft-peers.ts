import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Inject, Injectable } from '@nestjs/common'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { certificateFault, type CertificateTrust, type ShownCertificate } from './certificate-trust.js'

const PEM = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g

/** The peers that the operator has named as peers of the draft, and how each is recognized. The files are read at the start. */
@Injectable()
export class DraftPeers {
  private readonly peers: ReadonlyMap<string, CertificateTrust>

  constructor(@Inject(CONFIG) { FEDERATION, FEDERATION_DRAFT_PEERS }: Pick<Config, 'FEDERATION' | 'FEDERATION_DRAFT_PEERS'>) {
    const named = FEDERATION === 'off' ? [] : [...(FEDERATION_DRAFT_PEERS ?? [])]
    this.peers = new Map(
      named.map(([domain, trusts]) => {
        const pins = trusts.flatMap(({ kind, value }) => (kind === 'pin' ? [value] : []))
        const authorities = trusts.flatMap(({ kind, value }) => (kind === 'authority' ? certificatesIn(value) : []))
        return [domain, { pins, authorities }]
      }),
    )
  }

  /** Undefined for a provider that is no peer of the draft. */
  trustOf(domain: string): CertificateTrust | undefined {
    return this.peers.get(domain)
  }

  has(domain: string): boolean {
    return this.peers.has(domain)
  }

  /** The first peer whose certificate this is; a certificate may have several names. */
  shownBy(shown: ShownCertificate, now: Date): string | undefined {
    for (const [domain, trust] of this.peers) if (certificateFault(shown, domain, trust, now) === undefined) return domain
    return undefined
  }

  /** The authorities of all, in PEM: the TLS library verifies paths to any of them, `certificateFault` to those of the provider. */
  authorities(): string[] {
    return [...this.peers.values()].flatMap(({ authorities }) => authorities.map((one) => one.toString()))
  }
}

function certificatesIn(file: string): X509Certificate[] {
  const found = readFileSync(file, 'utf8').match(PEM) ?? []
  if (found.length === 0) throw new Error(`FEDERATION_DRAFT_PEERS: no certificate in ${file}`)
  return found.map((pem) => new X509Certificate(pem))
}
