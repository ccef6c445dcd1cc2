import { request as overHttp, type IncomingMessage } from 'node:http'
import { request as overHttps } from 'node:https'
import { fromJson } from '../wire.js'
import { ServerProblem, type ProblemDocument } from '../http.js'
import type { SealedRequest } from './sealed-post.js'

/**
 * Sends on a connection of its own, which is closed afterwards: a shared one would tie the post to the one who used it before. The address
 * is still seen by the one who is asked; only a relay hides that.
 */
export async function sendAnonymously<T>(baseUrl: string, { path, headers, body }: SealedRequest): Promise<T> {
  const { status, bytes } = await exchange(new URL(path, baseUrl), 'POST', headers, body)
  const text = Buffer.from(bytes).toString('utf8')
  if (status >= 200 && status < 300) return fromJson(text) as T
  throw new ServerProblem(status, asProblem(text))
}

/** One request on one connection. */
export function exchange(
  url: URL,
  method: string,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
): Promise<{ status: number; bytes: Uint8Array }> {
  const request = url.protocol === 'https:' ? overHttps : overHttp
  return new Promise((resolve, reject) => {
    const sent = request(url, {
      method,
      agent: false,
      headers: { ...headers, accept: 'application/json', 'content-length': body.length },
    })
    sent.on('error', reject).on('response', (answer: IncomingMessage) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject)
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, bytes: new Uint8Array(Buffer.concat(chunks)) }))
    })
    sent.end(body)
  })
}

function asProblem(text: string): ProblemDocument {
  try {
    return fromJson(text) as ProblemDocument
  } catch {
    return { detail: text.slice(0, 200) }
  }
}
