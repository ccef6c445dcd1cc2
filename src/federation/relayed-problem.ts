import { z } from 'zod'
import { encodeCbor } from '../platform/http/encode.js'
import { Problem } from '../platform/http/problem.js'
import { problemFor } from '../platform/http/send-problem.js'
import { readCbor } from '../protocol/strict-cbor.js'
import { capRetryAfter, HubRefused } from './peer-problems.js'

/**
 * What a hub may tell a local client. Not 401, which would end the client's session here; and what went wrong inside of the hub is
 * this server's to tell.
 */
const STATUSES = new Set([400, 403, 404, 409, 410, 413, 422, 429, 503])
/** Members of every problem document (RFC 9457 §3.1), which are written here. */
const RESERVED = new Set(['type', 'title', 'status', 'detail', 'instance'])
const MEMBER = /^[a-z][a-z0-9_]{0,63}$/
/** Members that hold entries of the log. */
const ENTRIES = new Set(['entries', 'proposals'])
const MAX_EXTENSION_BYTES = 8_192

const Extension = z
  .record(z.string(), z.unknown())
  .refine((extension) => Object.keys(extension).every((member) => MEMBER.test(member) && !RESERVED.has(member)))
  .refine((extension) => encodeCbor(withoutEntries(extension)).length <= MAX_EXTENSION_BYTES)

/** A hub's problem document for a client of another provider. */
const Carried = z.object({
  status: z.int().min(400).max(599),
  type: z.string().regex(/^[a-z0-9-]{1,64}$/),
  detail: z.string().max(1_000),
  extension: Extension,
  retry_after: z.int().positive().optional(),
})

/** The problem that was thrown, encoded. @throws any other error, which is for this server's log alone */
export function encodeRelayedProblem(thrown: unknown): { problem: Problem; bytes: Uint8Array } {
  const problem = problemFor(thrown)
  if (!problem) throw thrown
  const { status, type, detail, extension, retryAfter } = problem
  return { problem, bytes: encodeCbor({ status, type, detail, extension, retry_after: retryAfter }) }
}

/** Undefined for bytes that are no problem. */
export function decodeRelayedProblem(bytes: Uint8Array): Problem | undefined {
  const { data } = Carried.safeParse(readCbor(bytes))
  if (!data) return undefined
  if (!STATUSES.has(data.status)) return new HubRefused(`The group's hub refuses this (${data.status}, ${data.type}).`)
  const inside = capRetryAfter(data.extension['retry_after'])
  const problem = new Problem(data.status, data.type, data.detail, {
    ...data.extension,
    ...(inside !== undefined && { retry_after: inside }),
  })
  const seconds = capRetryAfter(data.retry_after)
  if (seconds !== undefined) problem.retryAfter = seconds
  return problem
}

/** Lists of log entries, which `stale-epoch`, `proposals-pending` and `proposals-void` bring, are as long as they are in answers of success. */
function withoutEntries(extension: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(extension).filter(([name, value]) => !(ENTRIES.has(name) && Array.isArray(value))))
}
