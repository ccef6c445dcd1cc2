import { Body, Controller, Get, Header, HttpCode, Inject, Post, Query } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Refuses } from '../../platform/http/refuses.js'
import { Returns } from '../../platform/http/returns.js'
import { Limits } from '../../platform/limits/limits.js'
import { CurrentDevice, type Caller } from '../session/caller.js'
import { CertificateIssuance, X509_LIMITS } from './certificate-issuance.js'
import { X509Credentials } from './x509-credentials.js'
import { AuthoritiesQuery, IssueX509, X509Authorities, X509Credential } from './x509.dto.js'

@ApiTags('certificates')
@Controller('v1/credentials/x509')
export class X509Controller {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly issuance: CertificateIssuance,
    private readonly credentials: X509Credentials,
    private readonly limits: Limits,
  ) {}

  @Post()
  @HttpCode(200)
  @Returns(X509Credential, { description: 'The certificates of the credential.' })
  @ApiOperation({
    operationId: 'issueCertificate',
    summary: 'Get an X.509 credential for a key of this device',
    description:
      'A certificate that the key is this client’s (RFC 9420 §5.3), for a short time; there is no other revocation. Of an account with a ' +
      'device list the list has to certify the key for the device. Repeating the request gives another certificate.',
  })
  @Refuses('not-found', 'key-uncertified', 'unavailable')
  issue(@CurrentDevice() caller: Caller, @Body({ schema: IssueX509 }) body: IssueX509) {
    return this.issuance.issue(caller, body)
  }

  @Get('authorities')
  @Header('cache-control', 'private, max-age=60')
  @Returns(X509Authorities, { description: 'The authorities; none where the domain has no X.509, or cannot be reached.' })
  @ApiOperation({
    operationId: 'listCertificateAuthorities',
    summary: 'The authorities that vouch for the clients of a domain',
    description:
      'Chains of X.509 credentials lead to one of them. Those of other providers are from their signed directories. They are the word of ' +
      'that provider’s server: whom its user’s own keys certify, the device list says (docs/identity.md).',
  })
  async list(@CurrentDevice() caller: Caller, @Query({ schema: AuthoritiesQuery }) { domain }: AuthoritiesQuery): Promise<X509Authorities> {
    const { name, value } = X509_LIMITS.elsewhere
    if (domain !== this.config.DOMAIN) await this.limits.take({ name, points: value, seconds: 60 }, caller.user)
    return { domain, authorities: [...(await this.credentials.of(domain, true))] }
  }
}
