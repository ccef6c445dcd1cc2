import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import { mergePending } from '../../examples/client/entries.js'
import { startServer } from '../support/server.js'
import { GENEROUS } from '../support/world.js'
import { at, draft, submit, useStage } from './groups-kit.js'

const stage = useStage()

describe('Commits of one epoch that race over two nodes', () => {
  it('have exactly one winner, and the losers agree on what they missed', async () => {
    const second = await startServer(GENEROUS, {
      database: { url: stage.server.config.DATABASE_URL ?? '', pool: stage.pool, drop: async () => undefined },
    })
    try {
      const clients = await stage.cast('a', 'b', 'c', 'd')
      const group = await stage.group(clients[0], clients.slice(1))
      for (let round = 0; round < 6; round++) {
        const drafts = await Promise.all(clients.map(async (client) => ({ client, made: await draft(at(client, group)) })))
        const base = (index: number) => (index % 2 === 0 ? stage.server.url : second.url)
        const answers = await Promise.all(
          drafts.map(({ client, made }, index) => fetchCommit(base(index), client, group.path, made.bundle)),
        )
        expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409])
        expect(new Set(answers.filter(({ status }) => status === 409).map(({ body }) => body['current_epoch']))).toEqual(
          new Set([at(clients[0], group).epoch + 1]),
        )
        await stage.sync(...clients.filter((_, index) => answers[index]!.status === 409))
        const winner = drafts[answers.findIndex(({ status }) => status === 200)]!
        const { record } = at(winner.client, group)
        record.pending = winner.made
        mergePending(record)
        record.cursor = Number(answers.find(({ status }) => status === 200)!.body['seq'])
        expect(new Set(clients.map((client) => at(client, group).epochAuthenticator)).size).toBe(1)
      }
      expect(await stage.log(group)).toEqual(['c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6'])
    } finally {
      await second.close()
    }
  })
})

async function fetchCommit(base: string, client: Client, path: string, bundle: Parameters<typeof submit>[2]) {
  const json = JSON.stringify(bundle, (_key, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('base64url') : value,
  )
  const response = await fetch(`${base}${path}/commits`, {
    method: 'POST',
    body: json,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${client.device.http.accessToken}` },
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}
