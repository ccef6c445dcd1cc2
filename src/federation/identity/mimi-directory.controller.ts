import { Controller, Get, Inject } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { z } from 'zod'
import { Anonymous } from '../../authentication/session/caller.js'
import { Authorities } from '../../authentication/x509/authorities.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { NotFound } from '../../platform/http/problem.js'
import { jsonOrCbor, PublicDocument } from '../../platform/http/public-document.js'
import { Refuses } from '../../platform/http/refuses.js'
import { Returns, ReturnsUnchanged } from '../../platform/http/returns.js'
import { hex } from '../../protocol/bytes.js'
import { SignedKeyDirectory, signKeyDirectory } from './directory-document.js'
import { endpointTemplates, ENDPOINTS, PROFILES, type Endpoint } from './endpoints.js'
import { OwnUrl } from './own-url.js'
import { ProviderKeys, type ProviderKey } from './provider-keys.js'

const templates = Object.fromEntries(Object.keys(ENDPOINTS).map((name) => [name, z.string()])) as Record<Endpoint, z.ZodString>

const Directory = z
  .object({ ...templates, profiles: z.array(z.string()), key_directory: SignedKeyDirectory })
  .meta({ id: 'MimiDirectory', description: 'draft-ietf-mimi-protocol-06, Directory; docs/federation-profile.md' })

/** How old a signature over the same keys may be: short against the week for which it is valid. */
const SIGNED_AGAIN_MS = 60_000

/** The directory of this provider: endpoints, profiles and signed keys. */
@ApiTags('federation')
@Controller('.well-known/mimi-protocol-directory')
export class MimiDirectoryController {
  private readonly document = new PublicDocument(jsonOrCbor(Directory), 'public, max-age=60', () => this.current())
  private signed: { keys: readonly ProviderKey[]; authorities: string; until: number; directory: Promise<object> } | undefined

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'FEDERATION'>,
    private readonly url: OwnUrl,
    private readonly keys: ProviderKeys,
    private readonly authorities: Authorities,
  ) {}

  @Get()
  @Anonymous()
  @Returns(Directory, { description: 'The directory.' })
  @ApiOperation({
    operationId: 'getMimiDirectory',
    summary: 'Where and how other providers reach this one',
    description:
      'The directory of the MIMI protocol, with the keys that this provider signs with (docs/federation-profile.md). 404 ' +
      'where the server does not federate.',
  })
  @Refuses('not-found')
  @ReturnsUnchanged()
  read() {
    if (this.config.FEDERATION === 'off') throw new NotFound('This server does not federate.')
    return this.document
  }

  /** Signed again when keys or authorities have changed, and once in SIGNED_AGAIN_MS. */
  private async current(): Promise<object> {
    const [keys, published] = [await this.keys.published(), await this.authorities.published()]
    const authorities = published.map(hex).join()
    if (this.signed?.authorities === authorities && performance.now() < this.signed.until && areSame(keys, this.signed.keys)) {
      this.signed.keys = keys
      return this.signed.directory
    }
    const signed = { keys, authorities, until: performance.now() + SIGNED_AGAIN_MS, directory: this.sign(keys, published) }
    this.signed = signed
    signed.directory.catch(() => (this.signed = undefined))
    return signed.directory
  }

  private async sign(keys: readonly ProviderKey[], authorities: readonly Uint8Array[]): Promise<object> {
    const about = { domain: this.config.DOMAIN, profiles: PROFILES, now: new Date(), authorities }
    const keyDirectory = await signKeyDirectory(keys, about)
    return { ...endpointTemplates(this.url.get()), profiles: [...PROFILES], key_directory: keyDirectory }
  }
}

/** Whether a directory of the two lists would be the same. */
function areSame(some: readonly ProviderKey[], others: readonly ProviderKey[]): boolean {
  const said = (keys: readonly ProviderKey[]) => JSON.stringify(keys.map(({ keyId, notBefore, notAfter }) => [keyId, notBefore, notAfter]))
  return some === others || said(some) === said(others)
}
