import { once } from 'node:events'
import { request as requestHttp, type IncomingMessage } from 'node:http'
import { request as requestHttps } from 'node:https'
import { randomBytes } from 'node:crypto'
import { STREAM_PROTOCOL } from '../../../../protocol/frames.js'
import { ok, problem, warning, type Finding } from '../finding.js'

const TIMEOUT_MS = 5_000

/**
 * Requests an upgrade without a token. Behind a proxy that forwards upgrades the server answers 401 with problem+json. Any other answer
 * means that the proxy does not: it is the proxy's own error, or the server's answer to a plain GET.
 */
export async function examineStreams(url: string): Promise<Finding[]> {
  const answer = await requestUpgrade(`${url}/v1/stream`)
  if (answer.statusCode === 401 && answer.headers['content-type']?.startsWith('application/problem+json'))
    return [ok('WebSocket upgrades pass through PUBLIC_URL.')]
  if (answer.statusCode === 503) return [warning('PUBLIC_URL takes no streams right now (503): all nodes are full or shutting down.')]
  return [
    problem(
      `PUBLIC_URL answers a WebSocket upgrade with ${answer.statusCode ?? 'nothing'}, where the server itself answers 401: ` +
        'the proxy does not forward it. Without streams, clients can only poll.',
    ),
  ]
}

async function requestUpgrade(url: string): Promise<IncomingMessage> {
  const request = (url.startsWith('https:') ? requestHttps : requestHttp)(url, {
    timeout: TIMEOUT_MS,
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
