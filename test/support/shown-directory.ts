import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { endpointTemplates, FEATURES, PROFILES } from '../../src/federation/identity/endpoints.js'
import { readKeyDirectory, type SignedKeyDirectory } from '../../src/federation/identity/directory-document.js'
import { signKeyDirectory } from '../../src/federation/identity/directory-signatures.js'
import { ProviderKeys, type ProviderKey } from '../../src/federation/identity/provider-keys.js'
import type { ProviderOfNodes } from './nodes.js'
import type { TestServer } from './server.js'

export interface Shown {
  readonly keys?: readonly ProviderKey[]
  readonly domain?: string
  readonly profiles?: readonly string[]
  readonly authorities?: readonly Uint8Array[]
  /** Otherwise later than any directory that was shown before. */
  readonly now?: Date
}

const DIRECTORY = '/.well-known/mimi-protocol-directory'
let last = 0

/** What stands at a provider's domain from now on, in the place of its own directory, of which what is not said is taken. */
export async function showDirectory(
  provider: Pick<ProviderOfNodes, 'domain' | 'proxy'>,
  node: Pick<TestServer, 'url' | 'app'>,
  { keys, domain = provider.domain, profiles = PROFILES, authorities = [], now }: Shown,
): Promise<void> {
  const honest = (await (await fetch(node.url + DIRECTORY)).json()) as { key_directory: SignedKeyDirectory }
  const own = readKeyDirectory(honest.key_directory)?.issued_at ?? 0
  last = Math.max(last + 1, own + 1, Math.floor(Date.now() / 1000))
  const content = { domain, profiles, features: FEATURES, endpoints: endpointTemplates(provider.proxy.url), authorities }
  const signers = keys ?? (await node.app.get(ProviderKeys, { strict: false }).published())
  const key_directory = signKeyDirectory(signers, content, now ? Math.floor(now.getTime() / 1000) : last)
  provider.proxy.fault = { status: 200, body: JSON.stringify({ ...honest, profiles, key_directory }) }
}

/** A key that the provider does not have. */
export function madeKey(): ProviderKey & { privateKey: KeyObject } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url')
  return { keyId: 'rogue', publicKey: raw, privateKey, notBefore: new Date(0), notAfter: undefined, signs: true, listed: true }
}
