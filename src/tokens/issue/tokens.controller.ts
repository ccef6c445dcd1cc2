import { Controller, Get, HttpCode, Inject, Post, Query, Res } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { Anonymous } from '../../authentication/session/anonymous.js'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { BodyBytes, type TypedBytes } from '../../platform/http/body-bytes.js'
import { InvalidRequest } from '../../platform/http/problem.js'
import { jsonAs, PublicDocument } from '../../platform/http/public-document.js'
import { Returns } from '../../platform/http/returns.js'
import { TakesBody, TakesBytes } from '../../platform/http/route-options.js'
import { Attester } from './attester.js'
import { AtIssuer, IssuerDirectory } from './issuer-directory.dto.js'
import { Issuer } from './issuer.js'
import { OwnDirectory } from './own-directory.js'
import { TOKEN_ANSWERS_KEPT, TOKEN_REQUESTS } from './tokens.limits.js'

const DIRECTORY = 'application/private-token-issuer-directory'
const ONE = 'application/private-token-request'
const BATCH = 'application/private-token-generic-batch-request'

@ApiTags('sealed sender')
@Controller()
export class TokensController {
  private readonly document

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'TOKENS_PER_ACCOUNT'>,
    private readonly issuer: Issuer,
    private readonly attester: Attester,
    private readonly own: OwnDirectory,
  ) {
    this.document = new PublicDocument(jsonAs(DIRECTORY), 'public, max-age=300', () => own.read())
  }

  @Get('.well-known/private-token-issuer-directory')
  @Anonymous()
  @ApiOperation({
    summary: 'The keys that send tokens are signed with (RFC 9578 §4)',
    description: 'Use the last one whose not-before has come.',
  })
  directory() {
    // One representation for everyone, byte for byte.
    return this.document
  }

  @Get('v1/tokens/issuer')
  @Returns(IssuerDirectory)
  @ApiOperation({
    summary: 'The same of the issuer of another hub',
    description: 'Fetched and kept by this server, which so learns who looks but not why.',
  })
  directoryOf(@CurrentDevice() caller: Caller, @Query({ schema: AtIssuer }) { issuer }: AtIssuer): Promise<IssuerDirectory> {
    return issuer === undefined || issuer === this.config.DOMAIN ? this.own.read() : this.attester.directory(caller, issuer)
  }

  /** Bodies and answers in the forms of RFC 9578 §6 and draft-ietf-privacypass-batched-tokens. */
  @Post('v1/tokens')
  @TakesBody('message')
  @HttpCode(200)
  @TakesBytes(ONE, BATCH)
  @ApiOperation({ summary: 'Have send tokens signed, blindly', description: 'Safe to repeat: the same request counts once.' })
  async issue(
    @CurrentDevice() caller: Caller,
    @Query({ schema: AtIssuer }) { issuer }: AtIssuer,
    @BodyBytes() { type, bytes }: TypedBytes,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Buffer> {
    void reply.header('content-type', type.replace(/request$/, 'response'))
    return Buffer.from(await this.issued(caller, issuer ?? this.config.DOMAIN, type, bytes))
  }

  private issued(caller: Caller, issuer: string, type: string, bytes: Uint8Array): Promise<Uint8Array> {
    if (issuer !== this.config.DOMAIN) {
      if (type !== BATCH) throw new InvalidRequest('Tokens of other issuers come in batches.')
      return this.attester.issue(caller, issuer, bytes)
    }
    const holder = { name: caller.user, quota: this.config.TOKENS_PER_ACCOUNT, requests: TOKEN_REQUESTS, kept: TOKEN_ANSWERS_KEPT.value }
    return type === ONE ? this.issuer.issueOne(holder, bytes) : this.issuer.issueBatch(holder, bytes)
  }
}
