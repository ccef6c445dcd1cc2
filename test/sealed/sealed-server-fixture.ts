import { afterAll, afterEach, beforeAll } from '@jest/globals'
import { createApplicationMessage, encodeMlsMessage } from 'ts-mls'
import type { Token } from '@cloudflare/privacypass-ts'
import type { Client } from '../../examples/client/client.js'
import type { Accepted, Group } from '../../examples/client/group.js'
import { suite } from '../../examples/client/mls/suites.js'
import { sendAnonymously } from '../../examples/client/sealed/anonymous.js'
import { sealedRequest, type SealedRequest } from '../../examples/client/sealed/sealed-post.js'
import { publishSenderKey, senderKey, type SenderKey } from '../../examples/client/sealed/sender-key.js'
import type { TokenPurse } from '../../examples/client/sealed/tokens.js'
import { utf8 } from '../../examples/client/wire.js'
import { createTestDatabase, type TestDatabase } from '../support/database.js'
import { startServer, type TestServer, type TestServerOptions } from '../support/server.js'
import { agreed, GENEROUS, World } from '../support/world.js'
import { purseOf, SMALL_BATCHES } from './sealed-sender-fixture.js'

export interface SealedServer {
  readonly server: TestServer
  readonly database: TestDatabase
  readonly world: World
}

/** One server for all tests of a file, and people around it. */
export function useSealedServer(overrides: Record<string, string> = {}, options: TestServerOptions = {}): SealedServer {
  const fixture: { server?: TestServer; database?: TestDatabase; world: World } = { world: new World('') }
  beforeAll(async () => {
    fixture.database = await createTestDatabase()
    fixture.server = await startServer({ ...GENEROUS, ...SMALL_BATCHES, ...overrides }, { ...options, database: fixture.database })
    Object.assign(fixture.world, { url: fixture.server.url })
  })
  afterEach(() => fixture.world.disconnect())
  afterAll(async () => {
    await fixture.server?.close()
    await fixture.database?.drop()
  })
  return fixture as SealedServer
}

/** A group of these, with the key of the epoch published by the first of them. */
export interface SealedGroup {
  readonly group: Group
  readonly key: SenderKey
  readonly purse: TokenPurse
}

export async function sealedGroup(world: World, clients: readonly [Client, ...Client[]]): Promise<SealedGroup> {
  const [first, ...others] = clients
  const group = await world.group(first, others)
  await agreed(others, group)
  const key = await senderKey(group)
  await publishSenderKey(group, key)
  const purse = purseOf(first, world.domain)
  await purse.fill()
  return { group, key, purse }
}

/** A message of the group's present epoch, of which the group remembers nothing. */
export async function messageOf(group: Group, text: string): Promise<Uint8Array> {
  const { impl } = await suite(group.record.suite)
  const made = await createApplicationMessage(group.record.state, utf8(text), impl)
  group.record.state = made.newState
  return encodeMlsMessage({ version: 'mls10', wireformat: 'mls_private_message', privateMessage: made.privateMessage })
}

export async function postOf(group: Group, key: SenderKey, token: Token, text: string): Promise<SealedRequest> {
  return sealedRequest(group.record.groupId, key, token, await messageOf(group, text))
}

export function send(url: string, request: SealedRequest): Promise<Accepted> {
  return sendAnonymously<Accepted>(url, request)
}

/** How many tokens have been spent, over all keys. */
export async function spentTokens({ database }: SealedServer): Promise<number> {
  const { rows } = await database.pool.query<{ spent: bigint }>('SELECT count(*) AS spent FROM spent_token')
  return Number(rows[0]?.spent)
}
