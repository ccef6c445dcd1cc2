import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto'

// X.509 certificates for mutual TLS (§4.1), written byte by byte: node:crypto reads them but makes none.

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...head), content])
}

const [INTEGER, BITS, OCTETS, OID, UTF8, TIME, SEQUENCE, SET] = [0x02, 0x03, 0x04, 0x06, 0x0c, 0x18, 0x30, 0x31]
const hex = (text: string) => Buffer.from(text, 'hex')
const ECDSA_SHA256 = hex('300a06082a8648ce3d040302')
const CRITICAL = hex('0101ff')
const IDS = { commonName: '550403', subjectAltName: '551d11', basicConstraints: '551d13', keyUsage: '551d0f', extendedKeyUsage: '551d25' }

const nameOf = (common: string) => der(SEQUENCE, der(SET, der(SEQUENCE, der(OID, hex(IDS.commonName)), der(UTF8, Buffer.from(common)))))
const time = (date: Date) => der(TIME, Buffer.from(date.toISOString().replace(/[-:T]|\.\d+/g, '')))

function extension(id: string, value: Uint8Array, critical = false): Buffer {
  return der(SEQUENCE, der(OID, hex(id)), ...(critical ? [CRITICAL] : []), der(OCTETS, value))
}

/** A certificate and its key, PEM. */
export interface TlsIdentity {
  readonly cert: string
  readonly key: string
}

/** What is out of the ordinary with a certificate. */
export interface CertificateWish {
  readonly notBefore?: Date
  readonly notAfter?: Date
  /** DNS names in its subjectAltName; otherwise the domain alone. */
  readonly names?: readonly string[]
}

const DAY_MS = 86_400_000

/** An authority that vouches for providers' domains. */
export class TestAuthority {
  readonly #key: KeyObject
  /** Its own certificate, PEM. */
  readonly cert: string

  constructor(readonly name = 'Test authority') {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    this.#key = privateKey
    const extensions = [extension(IDS.basicConstraints, der(SEQUENCE, CRITICAL), true), extension(IDS.keyUsage, hex('03020106'), true)]
    this.cert = this.#certificate(name, publicKey, extensions, {})
  }

  /** A certificate for a domain, for both ends of TLS. */
  issue(domain: string, wish: CertificateWish = {}): TlsIdentity {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const names = (wish.names ?? [domain]).map((name) => der(0x82, Buffer.from(name)))
    const bothEnds = der(SEQUENCE, der(OID, hex('2b06010505070301')), der(OID, hex('2b06010505070302')))
    const extensions = [
      extension(IDS.subjectAltName, der(SEQUENCE, ...names)),
      extension(IDS.keyUsage, hex('03020780'), true),
      extension(IDS.extendedKeyUsage, bothEnds),
    ]
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    return { cert: this.#certificate(domain, publicKey, extensions, wish), key }
  }

  #certificate(subject: string, key: KeyObject, extensions: readonly Buffer[], wish: CertificateWish): string {
    const notBefore = wish.notBefore ?? new Date(Date.now() - DAY_MS)
    const notAfter = wish.notAfter ?? new Date(Date.now() + 30 * DAY_MS)
    const tbs = der(
      SEQUENCE,
      der(0xa0, der(INTEGER, Buffer.of(2))),
      der(INTEGER, Buffer.concat([Buffer.of(0x41), randomBytes(8)])),
      ECDSA_SHA256,
      nameOf(this.name),
      der(SEQUENCE, time(notBefore), time(notAfter)),
      nameOf(subject),
      key.export({ type: 'spki', format: 'der' }),
      der(0xa3, der(SEQUENCE, ...extensions)),
    )
    const signature = der(BITS, Buffer.of(0), sign('sha256', tbs, this.#key))
    const base64 = der(SEQUENCE, tbs, ECDSA_SHA256, signature).toString('base64')
    return `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`
  }
}
