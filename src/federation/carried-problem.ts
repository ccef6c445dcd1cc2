import { z } from 'zod'
import { encodeCbor } from '../platform/http/encode.js'
import { Problem } from '../platform/http/problem.js'
import { problemFor } from '../platform/http/send-problem.js'
import { readCbor } from '../protocol/strict-cbor.js'

/** What the hub would have told a client of its own, on its way to a client of another provider. */
const Carried = z.object({
  status: z.int().min(400).max(599),
  type: z.string().max(100),
  detail: z.string().max(1_000),
  extension: z.record(z.string(), z.unknown()),
  retry_after: z.int().positive().optional(),
})

/** The problem behind what was thrown, encoded. @throws what nobody expected, which is for this server's log alone */
export function carryProblem(thrown: unknown): { problem: Problem; bytes: Uint8Array } {
  const problem = problemFor(thrown)
  if (!problem) throw thrown
  const { status, type, detail, extension, retryAfter } = problem
  return { problem, bytes: encodeCbor({ status, type, detail, extension, retry_after: retryAfter }) }
}

/** Undefined for bytes that are no problem. */
export function carriedProblem(bytes: Uint8Array): Problem | undefined {
  const { data } = Carried.safeParse(readCbor(bytes))
  if (!data) return undefined
  const problem = new Problem(data.status, data.type, data.detail, data.extension)
  if (data.retry_after !== undefined) problem.retryAfter = data.retry_after
  return problem
}
