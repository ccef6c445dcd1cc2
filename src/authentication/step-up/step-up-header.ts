import { applyDecorators, createParamDecorator, type ExecutionContext } from '@nestjs/common'
import { ApiHeader } from '@nestjs/swagger'
import { parseDictionary } from 'structured-headers'
import { Refuses } from '../../platform/http/refuses.js'
import { MAX_PUBLIC_KEY_BYTES, MAX_SIGNATURE_BYTES } from '../../protocol/signature-key.js'
import { NONCE_BYTES } from '../challenges/challenges.dto.js'

/** What a client presents in the field `Step-Up` (docs/identity.md §8). Nothing of it is checked yet. */
export interface PresentedProof {
  /** Of a challenge for this purpose, 32 bytes. */
  readonly nonce: Uint8Array
  /** The public key that signed. */
  readonly key: Uint8Array
  readonly proof: Uint8Array
}

/** A passkey's proof carries the data that it signs, beside a signature (docs/identity.md §2). */
const MAX_PROOF_BYTES = MAX_SIGNATURE_BYTES + 2_048

/** As base64, with the names of the members. */
const MAX_CHARACTERS = Math.ceil(((NONCE_BYTES + MAX_PUBLIC_KEY_BYTES + MAX_PROOF_BYTES) * 4) / 3) + 64

/** The proof of the field `Step-Up`, as a parameter of a handler; undefined if there is none, or none that can be read. */
export const StepUpProof = createParamDecorator((_data: unknown, context: ExecutionContext): PresentedProof | undefined =>
  presentedProof(context.switchToHttp().getRequest<{ headers: Record<string, string | string[] | undefined> }>().headers['step-up']),
)

/** For handlers with `@StepUpProof()`. @param what whether the operation always asks for it */
export const TakesStepUp = (what = 'A fresh proof by a key of this device') =>
  applyDecorators(
    ApiHeader({
      name: 'step-up',
      required: false,
      description: `${what}: \`nonce=:…:, key=:…:, proof=:…:\` (RFC 9651 dictionary of byte sequences, docs/identity.md §8)`,
    }),
    Refuses('step-up-required'),
  )

/** Never throws. */
export function presentedProof(field: string | string[] | undefined): PresentedProof | undefined {
  if (typeof field !== 'string' || field.length > MAX_CHARACTERS) return undefined
  try {
    const members = parseDictionary(field)
    const [nonce, key, proof] = ['nonce', 'key', 'proof'].map((name) => bytesIn(members.get(name)?.[0]))
    return nonce?.length !== NONCE_BYTES || key === undefined || proof === undefined ? undefined : { nonce, key, proof }
  } catch {
    return undefined
  }
}

function bytesIn(value: unknown): Uint8Array | undefined {
  return value instanceof ArrayBuffer ? new Uint8Array(value) : undefined
}
