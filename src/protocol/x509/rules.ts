/** Rules for X.509 credentials (docs/x509.md §2). Listed with the others in docs/mls-rules.md. */
export const X509_RULES = {
  'x509-encoding': ['docs/x509.md §2', 'A chain has one to three certificates of version 3 in strict DER, each of at most 4,096 bytes.'],
  'x509-critical': ['docs/x509.md §2', 'No certificate has a critical extension that the reader does not know.'],
  'x509-client': [
    'docs/x509.md §2',
    'The first certificate names exactly one subject alternative name, a client URI; critically if its subject is empty.',
  ],
  'x509-key': ['docs/x509.md §2', 'The first certificate is of the leaf’s signature key.'],
  'x509-usage': ['docs/x509.md §2', 'The first certificate is for digital signatures, and is no authority’s.'],
  'x509-issuer': [
    'docs/x509.md §2',
    'Each certificate is signed by the next one, and the last by an authority that the client URI’s own domain publishes; each of these is an authority that may sign certificates, of this depth and for this URI.',
  ],
  'x509-validity': ['docs/x509.md §2', 'All certificates are valid now, the authority’s too, and the first one lasts 31 days at most.'],
  'x509-lifetime': ['docs/x509.md §2', 'A KeyPackage does not outlive its certificate.'],
} as const satisfies Record<string, readonly [section: string, says: string]>

export type X509Rule = keyof typeof X509_RULES
