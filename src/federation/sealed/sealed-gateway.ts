import { Injectable } from '@nestjs/common'
import { Accepted } from '../../groups/groups.dto.js'
import { SealedMessages } from '../../groups/sealed/sealed-messages.js'
import { fromBase64url } from '../../platform/http/bytes.js'
import { encodeJson } from '../../platform/http/encode.js'
import { PROBLEM_MEDIA_TYPE, problemDocument } from '../../platform/http/problem-document.js'
import { InvalidRequest, NotFound, Undecodable, UnsupportedMediaType } from '../../platform/http/problem.js'
import { problemFor } from '../../platform/http/send-problem.js'
import { Secrets } from '../../platform/secrets.js'
import type { HttpHeaders } from '../../protocol/http-signature/message.js'
import {
  decodeRequestMessage,
  encodeResponseMessage,
  type BinaryRequestMessage,
  type BinaryResponseMessage,
  type Field,
} from '../../protocol/ohttp/binary-message.js'
import { decapsulateRequest } from '../../protocol/ohttp/encapsulation.js'
import { publicKeyOf, type KeyConfig } from '../../protocol/ohttp/key-config.js'

const KEY_PERIOD_MS = 7 * 86_400_000
const KEY_PURPOSE = 'oblivious gateway v1'

/** Keys of envelopes: one a week, which every node derives from SERVER_SECRET, so that none is stored and all agree. */
@Injectable()
export class GatewayKeys {
  constructor(private readonly secrets: Secrets) {}

  /** Private keys by id: that of now, the one before, which clients may still have, and the next one, for a clock that is ahead. */
  at(now: number): ReadonlyMap<number, Uint8Array> {
    const period = periodOf(now)
    return new Map([period, period - 1, period + 1].map((one) => [idOf(one), this.privateKey(one)]))
  }

  /** The key configuration that clients use now. */
  config(now: number): KeyConfig {
    const period = periodOf(now)
    return { id: idOf(period), publicKey: publicKeyOf(this.privateKey(period)), aeads: ['aes-128-gcm', 'chacha20-poly1305'] }
  }

  private privateKey(period: number): Uint8Array {
    const number = Buffer.alloc(8)
    number.writeBigUInt64BE(BigInt(period))
    return this.secrets.mac(KEY_PURPOSE, number)
  }
}

function periodOf(now: number): number {
  return Math.floor(now / KEY_PERIOD_MS)
}

function idOf(period: number): number {
  return period % 256
}

/** The only resource behind the gateway. */
const RESOURCE = /^\/v1\/sealed\/([A-Za-z0-9_-]{1,340})\/(\d{1,15})\/messages$/
const ANY_ORIGIN = 'https://hub.invalid'
/** Relays see sizes: padding makes an acceptance and a refusal look the same. */
const RESPONSE_BLOCK = 1_024

/** Opens envelopes that relays bring, and answers into them (RFC 9458, Oblivious Gateway and Target in one). */
@Injectable()
export class SealedGateway {
  constructor(
    private readonly keys: GatewayKeys,
    private readonly messages: SealedMessages,
  ) {}

  /** @throws Undecodable outside of the envelope, if it cannot be opened */
  async answer(envelope: Uint8Array): Promise<Uint8Array> {
    const opened = await decapsulateRequest(this.keys.at(Date.now()), envelope)
    if (!opened) throw new Undecodable('The envelope was encrypted to a key that this gateway does not have.')
    return opened.sealResponse(encodeResponseMessage(await this.respond(opened.request), RESPONSE_BLOCK))
  }

  private async respond(bytes: Uint8Array): Promise<BinaryResponseMessage> {
    try {
      return json(200, 'application/json', Accepted.parse(await this.submit(bytes)))
    } catch (thrown) {
      const problem = problemFor(thrown)
      if (!problem) throw thrown
      return json(problem.status, PROBLEM_MEDIA_TYPE, problemDocument(problem, 'sealed'))
    }
  }

  private submit(bytes: Uint8Array): Promise<Accepted> {
    const decoded = decodeRequestMessage(bytes)
    if (decoded.kind === 'malformed') throw new InvalidRequest(`The request in the envelope is malformed: ${decoded.reason}.`)
    const { method, path, fields, content } = decoded.value
    const headers = headersOf(fields)
    const { groupId, epoch } = target(decoded.value)
    if (headers['content-type'] !== 'message/mls') throw new UnsupportedMediaType('Send the message itself, as message/mls.')
    return this.messages.submit({ request: { method, targetUri: ANY_ORIGIN + path, headers }, groupId, epoch, bytes: content })
  }
}

/** A repeated field becomes a list, which no field of a post may be. */
function headersOf(fields: readonly Field[]): HttpHeaders {
  const lines = Map.groupBy(fields, ([name]) => name)
  return Object.fromEntries([...lines].map(([name, found]) => [name, found.length === 1 ? found[0]?.[1] : found.map(([, value]) => value)]))
}

function target({ method, path }: BinaryRequestMessage): { groupId: Uint8Array; epoch: bigint } {
  const [, group, epoch] = RESOURCE.exec(path) ?? []
  const groupId = group === undefined ? undefined : fromBase64url(group)
  if (method !== 'POST' || !groupId || epoch === undefined) throw new NotFound('Only posts without a sender are taken here.')
  return { groupId, epoch: BigInt(epoch) }
}

function json(status: number, contentType: string, value: unknown): BinaryResponseMessage {
  return { status, fields: [['content-type', contentType]], content: Buffer.from(encodeJson(value)) }
}
