import { Inject, Injectable } from '@nestjs/common'
import { secondsNow } from '../../platform/timing.js'
import { parseClientUri } from '../../protocol/identifiers.js'
import { sameBytes } from '../../protocol/bytes.js'
import { clientNamedIn, decodeCertificate } from '../../protocol/x509/certificate.js'
import { checkChain, type CertifiedLeaf, type ChainVerdict } from '../../protocol/x509/chain.js'
import type { X509Rule } from '../../protocol/x509/rules.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Authorities } from './authorities.js'

/** A new or changed leaf, with its X.509 credential if it has one. */
export interface LeafWithCredential {
  readonly client: string
  /** As MLS encodes it; null: the leaf is not new. */
  readonly publicKey: Uint8Array | null
  readonly certificates?: readonly Uint8Array[] | undefined
}

/**
 * The authorities of another provider; none where it has none, or is not federated with.
 * @param fresh those that are known do not serve: asks the provider again, once in a while
 */
export type PeerAuthorities = (domain: string, fresh: boolean) => Promise<readonly Uint8Array[]>

/** Chains that are checked at the same time. */
const AT_ONCE = 16

/** Whether X.509 credentials show what they say (docs/x509.md §2): by the authorities of the domain in the client URI, and no others. */
@Injectable()
export class X509Credentials {
  private peers: PeerAuthorities = () => Promise.resolve([])

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly authorities: Authorities,
  ) {}

  /** The layer above, which knows other providers, connects itself. */
  connect(peers: PeerAuthorities): void {
    this.peers = peers
  }

  /** Those that vouch for a domain, DER. */
  of(domain: string, fresh = false): Promise<readonly Uint8Array[]> {
    return domain === this.config.DOMAIN ? this.authorities.published(fresh) : this.peers(domain, fresh)
  }

  /** @param again reads the authorities once more, for a chain by one that is newer than our copy */
  async check(leaf: CertifiedLeaf, again = (domain: string) => this.of(domain, true)): Promise<ChainVerdict> {
    const domain = domainOf(leaf)
    if (domain === undefined) return checkChain(leaf, [], secondsNow())
    const known = await this.of(domain)
    const verdict = await checkChain(leaf, known, secondsNow())
    if (verdict.kind === 'valid' || verdict.rule !== 'x509-issuer') return verdict
    const newer = await again(domain)
    const isSame = newer.length === known.length && newer.every((one, at) => sameBytes(one, known[at] ?? new Uint8Array()))
    return isSame ? verdict : checkChain(leaf, newer, secondsNow())
  }

  /** The rules that new and changed leaves break, by client URI. Leaves with other credentials break none. */
  async faultsOf(leaves: readonly LeafWithCredential[]): Promise<ReadonlyMap<string, X509Rule>> {
    const faults = new Map<string, X509Rule>()
    // Once for all leaves, however many of them lead nowhere.
    const asked = new Map<string, Promise<readonly Uint8Array[]>>()
    const again = (domain: string) => {
      const newer = asked.get(domain) ?? this.of(domain, true)
      asked.set(domain, newer)
      return newer
    }
    const wanted = leaves.filter(({ certificates, publicKey }) => certificates !== undefined && publicKey !== null)
    for (let from = 0; from < wanted.length; from += AT_ONCE) {
      const some = wanted.slice(from, from + AT_ONCE)
      const verdicts = await Promise.all(
        some.map(({ certificates = [], publicKey }) => this.check({ certificates, signatureKey: publicKey ?? new Uint8Array() }, again)),
      )
      for (const [index, verdict] of verdicts.entries()) {
        const client = some[index]?.client
        if (verdict.kind === 'broken' && client !== undefined) faults.set(client, verdict.rule)
      }
    }
    return faults
  }
}

function domainOf({ certificates: [first] }: CertifiedLeaf): string | undefined {
  const decoded = first && decodeCertificate(first)
  const client = decoded?.kind === 'decoded' ? clientNamedIn(decoded.value) : undefined
  return client === undefined ? undefined : parseClientUri(client)?.domain
}
