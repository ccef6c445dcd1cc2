import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { SignedKeyDirectory } from '../../../federation/identity/directory-document.js'
import { signKeyDirectory } from '../../../federation/identity/directory-signatures.js'
import { endpointTemplates, PROFILES } from '../../../federation/identity/endpoints.js'
import type { ProviderKey } from '../../../federation/identity/provider-keys.js'

export type TesterKey = ProviderKey & { readonly privateKey: KeyObject }

export function testerKey(keyId: string): TesterKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url')
  return { keyId, publicKey: raw, privateKey, notBefore: new Date(Date.now() - 60_000), notAfter: undefined, signs: true, listed: true }
}

/** A provider that has nothing but a key and a directory, which it shows at a port. */
export class TesterProvider {
  private server: Server | undefined
  private issued = Math.floor(Date.now() / 1000)
  private shown = ''

  /** @param domain by which the peer finds it. @param url where its endpoints would be */
  constructor(
    readonly domain: string,
    private url: string,
  ) {}

  /** @returns where it listens */
  async listen(host: string, port: number): Promise<string> {
    this.server = createServer((request, response) => {
      const isDirectory = request.method === 'GET' && request.url === '/.well-known/mimi-protocol-directory'
      response.writeHead(isDirectory ? 200 : 404, { 'content-type': 'application/json' }).end(isDirectory ? this.shown : '{}')
    })
    this.server.listen(port, host)
    await once(this.server, 'listening')
    const address = `http://${host}:${(this.server.address() as AddressInfo).port}`
    this.url ||= address
    return address
  }

  /** What its directory says from now on; each is issued later than the one before. @param change of what was signed */
  show(
    keys: readonly TesterKey[],
    { issued = ++this.issued, change = (signed: SignedKeyDirectory): SignedKeyDirectory => signed } = {},
  ): void {
    const content = { domain: this.domain, profiles: PROFILES, features: [], endpoints: endpointTemplates(this.url), authorities: [] }
    const key_directory = change(signKeyDirectory(keys, content, issued))
    this.shown = JSON.stringify({ ...content.endpoints, profiles: PROFILES, key_directory })
  }

  async close(): Promise<void> {
    this.server?.close()
    this.server?.closeAllConnections()
  }
}
