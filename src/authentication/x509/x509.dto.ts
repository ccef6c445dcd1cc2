import { z } from 'zod'
import { MlsBytes, UnixSeconds } from '../../platform/http/bytes.js'
import { MAX_CERTIFICATE_BYTES } from '../../protocol/x509/certificate.js'
import { PublicKey } from '../challenges/challenges.dto.js'
import { ProviderDomain } from '../identifiers.dto.js'

const Certificate = MlsBytes(MAX_CERTIFICATE_BYTES).meta({ description: 'An X.509 certificate, DER' })

export const IssueX509 = z
  .strictObject({ public_key: PublicKey.meta({ description: 'A signature key that is registered for this device, and active' }) })
  .meta({ id: 'IssueX509Credential' })
export type IssueX509 = z.infer<typeof IssueX509>

export const X509Credential = z
  .object({
    certificates: z.array(Certificate).meta({ description: 'For a credential of type x509 (RFC 9420 §5.3), in this order' }),
    not_before: UnixSeconds,
    not_after: UnixSeconds.meta({ description: 'When the first of them ends; renew at half of the time' }),
  })
  .meta({ id: 'X509Credential' })
export type X509Credential = z.output<typeof X509Credential>

export const AuthoritiesQuery = z.strictObject({ domain: ProviderDomain.meta({ description: 'Of this or another provider' }) })
export type AuthoritiesQuery = z.infer<typeof AuthoritiesQuery>

export const X509Authorities = z
  .object({
    domain: ProviderDomain,
    authorities: z
      .array(Certificate)
      .meta({ description: 'They vouch for client URIs of this domain, and for no others. None: it has no X.509' }),
  })
  .meta({ id: 'X509Authorities', description: 'What chains of X.509 credentials have to lead to (docs/x509.md)' })
export type X509Authorities = z.output<typeof X509Authorities>
