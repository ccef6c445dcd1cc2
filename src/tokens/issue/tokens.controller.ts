import { Controller, Get, HttpCode, Inject, Post, Query, Res } from '@nestjs/common'
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { Anonymous, CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { BodyBytes, type TypedBytes, TakesBody, TakesBytes } from '../../platform/http/route-options.js'
import { InvalidRequest } from '../../platform/http/problem.js'
import { jsonAs, PublicDocument } from '../../platform/http/public-document.js'
import { HUB_PROBLEMS, Refuses } from '../../platform/http/refuses.js'
import { Returns, ReturnsBytes, ReturnsUnchanged } from '../../platform/http/returns.js'
import { Attester } from './attester.js'
import { IssuerQuery, IssuerDirectory, OwnIssuerDirectory } from './issuer-directory.js'
import { Issuer } from './issuer.js'
import { TOKEN_ANSWERS_KEPT, TOKEN_REQUESTS } from './tokens.limits.js'
import { numberOf } from '../../platform/limits/described-limit.js'

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
    private readonly own: OwnIssuerDirectory,
  ) {
    this.document = new PublicDocument(jsonAs(DIRECTORY), 'public, max-age=300', () => own.read())
  }

  @Get('.well-known/private-token-issuer-directory')
  @Anonymous()
  @ReturnsUnchanged()
  @ApiOperation({
    operationId: 'getTokenIssuer',
    summary: 'The keys that send tokens are signed with',
    description: 'The issuer directory of RFC 9578 §4. Use the last key whose `not-before` has come.',
  })
  @ApiResponse({
    status: 200,
    description: "The issuer's directory, in JSON.",
    content: { [DIRECTORY]: { schema: { $ref: '#/components/schemas/IssuerDirectory' } } },
  })
  directory() {
    // One representation for everyone, byte for byte.
    return this.document
  }

  @Get('v1/tokens/issuer')
  @Returns(IssuerDirectory, { description: 'The directory.' })
  @ApiOperation({
    operationId: 'getTokenIssuerOf',
    summary: 'The issuer directory of another hub',
    description: 'Fetched and kept by this server, which so learns who looks but not why. Without `issuer`, this provider’s own.',
  })
  @Refuses('not-found', ...HUB_PROBLEMS)
  directoryOf(@CurrentDevice() caller: Caller, @Query({ schema: IssuerQuery }) { issuer }: IssuerQuery): Promise<IssuerDirectory> {
    return issuer === undefined || issuer === this.config.DOMAIN ? this.own.read() : this.attester.directory(caller, issuer)
  }

  @Post('v1/tokens')
  @TakesBody('message')
  @HttpCode(200)
  @TakesBytes(ONE, BATCH)
  @ApiOperation({
    operationId: 'issueTokens',
    summary: 'Have send tokens signed, blindly',
    description:
      'Requests and answers have the forms of RFC 9578 §6 (one token) and draft-ietf-privacypass-batched-tokens (a batch). ' +
      'For another hub’s tokens name `issuer` and send a batch. The same request counts once: repeat it if the answer was ' +
      'lost.',
  })
  @Refuses('not-found', 'undecodable', 'token-key-unknown', 'batch-size', 'token-quota', ...HUB_PROBLEMS)
  @ReturnsBytes('The blind signatures.', 'application/private-token-response', 'application/private-token-generic-batch-response')
  async issue(
    @CurrentDevice() caller: Caller,
    @Query({ schema: IssuerQuery }) { issuer }: IssuerQuery,
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
    const holder = {
      name: caller.user,
      quota: this.config.TOKENS_PER_ACCOUNT,
      requests: TOKEN_REQUESTS,
      kept: numberOf(TOKEN_ANSWERS_KEPT),
    }
    return type === ONE ? this.issuer.issueOne(holder, bytes) : this.issuer.issueBatch(holder, bytes)
  }
}
