import { createHash, sign } from 'node:crypto'
import type { Token } from '@cloudflare/privacypass-ts'
import { toBase64Url } from '../wire.js'
import type { SenderKey } from './sender-key.js'

/** A request that says nothing about who makes it. */
export interface SealedRequest {
  /** POST, if it is to be taken. */
  readonly method?: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** MLSMessage: a PrivateMessage with application data. Pad it (RFC 9420 §6.3.1): its size is seen. */
  readonly body: Uint8Array
}

/**
 * Two proofs: a token, that somebody has an account somewhere; a signature by the sender key, that somebody is a member at this epoch.
 * Send it again as it is if the answer is lost. Never send it on a connection that has carried an access token.
 */
export function sealedRequest(
  groupId: Uint8Array,
  key: SenderKey,
  token: Pick<Token, 'serialize'>,
  body: Uint8Array,
  incarnation?: number,
): SealedRequest {
  const path = `/v1/sealed/${toBase64Url(groupId)}/${key.epoch}/messages`
  const digest = `sha-256=:${createHash('sha256').update(body).digest('base64')}:`
  const authorization = `PrivateToken token="${toBase64Url(token.serialize())}"`
  const input = `("@method" "@path" "content-digest" "authorization");keyid="${toBase64Url(key.publicKey)}";alg="ed25519";tag="microchat-member"`
  // The signature base of RFC 9421 §2.5.
  const base = [
    '"@method": POST',
    `"@path": ${path}`,
    `"content-digest": ${digest}`,
    `"authorization": ${authorization}`,
    `"@signature-params": ${input}`,
  ].join('\n')
  const headers = {
    'content-type': 'message/mls',
    'content-digest': digest,
    // The same for all members, so it tells no post from another.
    ...(incarnation === undefined ? {} : { 'group-incarnation': String(incarnation) }),
    authorization,
    'signature-input': `member=${input}`,
    signature: `member=:${sign(null, Buffer.from(base), key.privateKey).toString('base64')}:`,
  }
  return { path, headers, body }
}
