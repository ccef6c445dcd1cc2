import { request } from 'node:http'
import type { TestNode } from './delivery-node-fixture.js'

export interface Answer {
  status: number
  type: string | undefined
  body: { type: string }
  challenge: string | undefined
}

/** An upgrade as any HTTP client would ask for it. */
export function upgrade(node: TestNode, path: string, headers: Record<string, string>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(`${node.wsUrl.replace('ws', 'http')}${path}`, {
      headers: {
        connection: 'upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'AQIDBAUGBwgJCgsMDQ4PEA==',
        ...headers,
      },
    })
    asked.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          type: response.headers['content-type'],
          body: JSON.parse(Buffer.concat(chunks).toString()) as { type: string },
          challenge: response.headers['www-authenticate'],
        }),
      )
    })
    asked.on('upgrade', () => reject(new Error('was upgraded')))
    asked.on('error', reject)
    asked.end()
  })
}
