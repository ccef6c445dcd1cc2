import { z } from 'zod'
import { Duration } from './units.js'

/** X.509 credentials (docs/x509.md). */
export const X509 = {
  X509_CREDENTIALS: z
    .enum(['on', 'off'])
    .default('on')
    .describe(
      'Whether devices of this server get X.509 certificates for their keys (docs/x509.md), and may use them in groups. Basic credentials are taken either way.',
    ),
  X509_LIFETIME: Duration(3_600_000, 30 * 86_400_000)
    .default(7 * 86_400_000)
    .describe('Life of such a certificate. There is no other revocation of it: short is better. Clients renew it at half of its time.'),
  X509_CA_CERTIFICATE: z
    .string()
    .min(1)
    .optional()
    .describe(
      'PEM file of the certificate authority that issues them: its own certificate first, then one that has signed it, if any. Peers and clients get the last one. Unset: the server makes an authority of its own.',
    ),
  X509_CA_KEY: z.string().min(1).optional().describe('PEM file of the private key of the first certificate: ECDSA P-256 or P-384, or RSA.'),
}
