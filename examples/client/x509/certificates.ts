import 'reflect-metadata'
import type { ClientState, Credential } from 'ts-mls'
import type { LeafNode } from 'ts-mls/leafNode.js'
import type { Http } from '../http.js'
import { IdentityRefused } from '../identity/refused.js'
import type { DeviceRecord } from '../store.js'
import { utf8 } from '../wire.js'
import { clientOfCredential, endOf, ruleBroken } from './chain.js'

interface Issued {
  certificates: Uint8Array[]
  not_before: number
  not_after: number
}

/** What a provider no longer vouches by is forgotten after that time, in seconds. */
const AUTHORITIES_LAST = 3_600

/** X.509 credentials (docs/x509.md): the device's own, if it uses them (`record.x509`), and checks of others'. */
export class Certificates {
  /** By cipher suite. */
  readonly #own = new Map<number, Issued>()
  /** By domain. */
  readonly #authorities = new Map<string, { at: number; list: Uint8Array[] }>()

  constructor(
    private readonly http: Http,
    private readonly record: DeviceRecord,
    /** Seconds since 1970. */
    private readonly now: () => number = () => Math.floor(Date.now() / 1000),
  ) {}

  /** What new leaves of this device have; a certificate is renewed at half of its time. */
  async credential(suite: number): Promise<{ credential: Credential; notAfter?: number }> {
    if (!this.record.x509) return { credential: { credentialType: 'basic', identity: utf8(this.record.client) } }
    const known = this.#own.get(suite)
    const issued = known && this.now() < (known.not_before + known.not_after) / 2 ? known : await this.#issue(suite)
    return { credential: { credentialType: 'x509', certificates: issued.certificates }, notAfter: issued.not_after }
  }

  /**
   * Whether a leaf’s X.509 credential shows what it says; a basic one says no more than the device list does. Of a leaf that was there before, a
   * certificate that is over says nothing any more.
   * @throws IdentityRefused with the rule
   */
  async verify(leaf: LeafNode, isNew: boolean): Promise<void> {
    const { credential, signaturePublicKey: signatureKey } = leaf
    if (credential.credentialType !== 'x509') return
    const { certificates } = credential
    const now = this.now() * 1000
    if (!isNew && endOf({ certificates }).getTime() < now) return
    const client = clientOfCredential(credential)
    const rule = await this.#ruleBroken(client, { certificates, signatureKey }, now)
    if (rule !== undefined) throw new IdentityRefused('invalid', client, { rule })
  }

  async #ruleBroken(client: string, leaf: Parameters<typeof ruleBroken>[0], now: number): Promise<string | undefined> {
    const domain = client.split('/')[2] ?? ''
    const known = this.#authorities.get(domain)
    const rule = await ruleBroken(leaf, known?.list ?? [], now)
    const isOld = known !== undefined && this.now() - known.at >= AUTHORITIES_LAST
    if ((rule !== 'x509-issuer' && !isOld) || domain === '') return rule
    // By an authority that is new to this client, or that may have been withdrawn.
    const path = `/v1/credentials/x509/authorities?domain=${encodeURIComponent(domain)}`
    const { authorities } = await this.http.get<{ authorities: Uint8Array[] }>(path)
    this.#authorities.set(domain, { at: this.now(), list: authorities })
    return ruleBroken(leaf, authorities, now)
  }

  async #issue(suite: number): Promise<Issued> {
    const keys = this.record.keys.get(suite)
    if (!keys) throw new Error(`This device has no key for cipher suite ${suite}`)
    const issued = await this.http.post<Issued>('/v1/credentials/x509', { public_key: keys.publicKey })
    this.#own.set(suite, issued)
    return issued
  }
}

/**
 * The state with the credential that the own leaf shall have from the next Commit with a path on, which makes a new leaf of the present one. A type
 * that a member does not know it does not get (RFC 9420 §7.3).
 */
export function withOwnCredential(state: ClientState, credential: Credential | undefined): ClientState {
  const index = 2 * state.privatePath.leafIndex
  const node = state.ratchetTree[index]
  const type = credential?.credentialType
  const isKnown = state.ratchetTree.every(
    (one) => one?.nodeType !== 'leaf' || one.leaf.capabilities.credentials.some((known) => known === type),
  )
  if (!credential || node?.nodeType !== 'leaf' || !isKnown) return state
  const ratchetTree = [...state.ratchetTree]
  ratchetTree[index] = { nodeType: 'leaf', leaf: { ...node.leaf, credential } }
  return { ...state, ratchetTree }
}
