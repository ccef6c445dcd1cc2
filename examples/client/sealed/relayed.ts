import { ServerProblem, type ProblemDocument } from '../http.js'
import { fromJson, toBase64Url } from '../wire.js'
import { exchange } from './anonymous.js'
import { encapsulate, readKeyConfig, type GatewayConfig } from './oblivious.js'
import type { SealedRequest } from './sealed-post.js'
import type { TokenPurse } from './tokens.js'

/**
 * The way to a hub that is another provider: our own server relays the sealed envelope. It sees our address and which provider is
 * meant, and nothing inside; the hub sees the inside, and that it came by way of our provider.
 */
export class Relayed {
  #config: GatewayConfig | undefined

  constructor(
    /** Our own server. */
    private readonly baseUrl: string,
    /** Domain of the hub. */
    private readonly hub: string,
    /** Tokens of our own server: the relay takes one for each request, so that strangers cannot use it. */
    private readonly purse: TokenPurse,
  ) {}

  async send<T>(request: SealedRequest): Promise<T> {
    const path = `/v1/sealed-relay/${encodeURIComponent(this.hub)}`
    this.#config ??= readKeyConfig(await this.#ask(`${path}/keys`, 'GET', {}, new Uint8Array()))
    const { message, open } = await encapsulate(this.#config, this.hub, request)
    const authorization = `PrivateToken token="${toBase64Url(this.purse.take().serialize())}"`
    const { status, content } = open(await this.#ask(path, 'POST', { 'content-type': 'message/ohttp-req', authorization }, message))
    const answer = fromJson(Buffer.from(content).toString('utf8'))
    if (status === 200) return answer as T
    throw new ServerProblem(status, answer as ProblemDocument)
  }

  async #ask(path: string, method: string, headers: Record<string, string>, body: Uint8Array): Promise<Uint8Array> {
    const { status, bytes } = await exchange(new URL(path, this.baseUrl), method, headers, body)
    if (status === 200) return bytes
    throw new ServerProblem(status, fromJson(Buffer.from(bytes).toString('utf8')) as ProblemDocument)
  }
}
