import { once } from 'node:events'
import { request as requestHttp, type IncomingMessage } from 'node:http'
import { request as requestHttps } from 'node:https'
import { randomBytes } from 'node:crypto'
import { STREAM_PROTOCOL } from '../../../../protocol/frames.js'
import { ok, problem, warning, type Finding } from '../finding.js'

const PATIENCE_MS = 5_000

/**
 * Asks for a stream without a token. A proxy that passes upgrades on brings back our own refusal, 401 as problem+json; one that
 * does not gives something else: its own error, or our answer to a plain GET.
 */
export async function examineStreams(url: string): Promise<Finding[]> {
  const answer = await askForUpgrade(`${url}/v1/stream`)
  if (answer.statusCode === 401 && answer.headers['content-type']?.startsWith('application/problem+json'))
    return [ok('WebSocket upgrades pass through PUBLIC_URL.')]
  if (answer.statusCode === 503) return [warning('PUBLIC_URL takes no streams right now (503): all nodes are full or going away.')]
  return [
    problem(
      `PUBLIC_URL answers a WebSocket upgrade with ${answer.statusCode ?? 'nothing'}, where this server says 401: ` +
        'the proxy does not pass it on. Without streams, clients can only poll.',
    ),
  ]
}

async function askForUpgrade(url: string): Promise<IncomingMessage> {
  const request = (url.startsWith('https:') ? requestHttps : requestHttp)(url, {
    timeout: PATIENCE_MS,
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-protocol': STREAM_PROTOCOL,
      'sec-websocket-key': randomBytes(16).toString('base64'),
    },
  })
  request.once('timeout', () => request.destroy(Object.assign(new Error('No answer'), { code: 'ETIMEDOUT' })))
  request.end()
  try {
    const [answer] = (await once(request, 'response')) as [IncomingMessage]
    answer.resume()
    return answer
  } finally {
    request.destroy()
  }
}
