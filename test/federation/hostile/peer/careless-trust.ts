import { createPublicKey, verify, type KeyObject } from 'node:crypto'

interface Content {
  readonly issued_at: number
  readonly keys: readonly { kid: string; x: string }[]
}
interface Jws {
  readonly payload: string
  readonly signatures: readonly { protected: string; signature: string }[]
}

const decode = (text: string): unknown => JSON.parse(Buffer.from(text, 'base64url').toString())
const keyOf = (x: string): KeyObject => createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })

/** Follows the directory of one provider by the page, but for what it omits. */
export class CarelessTrust {
  private pins = new Map<string, string>()
  private readonly gone = new Set<string>()
  private issued = 0

  constructor(
    private readonly url: string,
    private readonly omits: () => string | undefined,
  ) {}

  async key(kid: string): Promise<KeyObject | undefined> {
    if (!this.pins.has(kid) && (this.pins.size === 0 || this.omits() !== 'follows-rotation')) await this.look()
    const found = this.pins.get(kid)
    return found === undefined ? undefined : keyOf(found)
  }

  private async look(): Promise<void> {
    const { key_directory: jws } = (await (await fetch(`${this.url}/.well-known/mimi-protocol-directory`)).json()) as { key_directory: Jws }
    const content = decode(jws.payload) as Content
    const isNamed = new Map(content.keys.map(({ kid, x }) => [kid, x]))
    if (!this.isTrusted(jws, content)) return
    for (const [kid, x] of this.pins) {
      if (isNamed.has(kid)) continue
      this.gone.add(kid)
      if (this.omits() === 'drops-withdrawn-key') isNamed.set(kid, x)
    }
    this.pins = isNamed
    this.issued = content.issued_at
  }

  private isTrusted(jws: Jws, { keys, issued_at: issued }: Content): boolean {
    const omits = this.omits()
    const signed = keys.filter(({ kid, x }) => isSigned(jws, kid, x))
    if (signed.length === 0 && omits !== 'refuses-unsigned-directory') return false
    if (signed.length > 0 && signed.length < keys.length && omits !== 'refuses-unproven-key') return false
    if (keys.some(({ kid }) => this.gone.has(kid)) && omits !== 'refuses-returning-key') return false
    const isVouchedFor = this.pins.size === 0 || [...this.pins].some(([kid, x]) => isSigned(jws, kid, x))
    if (!isVouchedFor && omits !== (signed.length === 0 ? 'refuses-unsigned-directory' : 'refuses-takeover')) return false
    return issued >= this.issued || omits === 'refuses-older-directory'
  }
}

function isSigned({ payload, signatures }: Jws, kid: string, x: string): boolean {
  return signatures.some(({ protected: head, signature }) => {
    if ((decode(head) as { kid?: string }).kid !== kid) return false
    return verify(null, Buffer.from(`${head}.${payload}`), keyOf(x), Buffer.from(signature, 'base64url'))
  })
}
