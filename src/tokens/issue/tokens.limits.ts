import type { DescribedLimit } from '../../platform/limits/described-limit.js'

type Numbered = DescribedLimit & { readonly value: number }

/** Requests of one account: a client asks a few times a day. */
export const TOKEN_REQUESTS: Numbered = {
  name: 'tokens',
  holder: 'account',
  what: 'requests for send tokens per minute, repeats of one included',
  value: 60,
  refusal: '429 with Retry-After',
}
export const PEER_TOKEN_REQUESTS: Numbered = {
  name: 'tokens-of-peers',
  holder: 'peer',
  what: 'requests for send tokens per minute, repeats of one included',
  value: 600,
  refusal: '429 with Retry-After',
}
/** A repeat whose answer is not kept any more costs as much as a new batch, but counts against no quota. */
export const TOKENS_SIGNED_AGAIN: Numbered = {
  name: 'tokens-signed-again',
  holder: 'account',
  what: 'batches of send tokens per minute that were counted long ago and are signed again; the same for a peer',
  value: 6,
  refusal: '429 with Retry-After',
}
/** 13 KB each at the default size of a batch. A client repeats its last request, if any. */
export const TOKEN_ANSWERS_KEPT: Numbered = {
  name: 'token-answers-kept',
  holder: 'account',
  what: 'answers to batches that are kept for repeats, of one key',
  value: 8,
  refusal: 'a repeat of an older one is signed again',
}
export const PEER_TOKEN_ANSWERS_KEPT: Numbered = {
  ...TOKEN_ANSWERS_KEPT,
  name: 'token-answers-kept-of-peers',
  holder: 'peer',
  value: 256,
}
export const BATCHES_WAITING_OF_ONE: Numbered = {
  name: 'token-batches-waiting-of-one',
  holder: 'account',
  what: 'batches of send tokens that wait to be signed, of an account or a peer; one is in work',
  value: 32,
  refusal: '429 with Retry-After',
}
export const BATCHES_WAITING: Numbered = {
  name: 'token-batches-waiting',
  holder: 'process',
  what: 'batches of send tokens that wait to be signed',
  value: 256,
  refusal: '503 with Retry-After, to the caller with the most batches waiting',
}

export const TOKEN_LIMITS: readonly DescribedLimit[] = [
  TOKEN_REQUESTS,
  PEER_TOKEN_REQUESTS,
  TOKENS_SIGNED_AGAIN,
  TOKEN_ANSWERS_KEPT,
  PEER_TOKEN_ANSWERS_KEPT,
  BATCHES_WAITING_OF_ONE,
  BATCHES_WAITING,
]
