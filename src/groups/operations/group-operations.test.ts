import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import type { Caller } from '../../authentication/session/caller.js'
import type { HubCall } from '../home/federation-link.js'
import { GroupOperations } from './group-operations.js'
import { groupOperations, type OperationsTable } from './operations-table.js'

const caller = { client: 'mimi://a.example/d/alice/phone' } as Caller
const GROUP = Uint8Array.of(1)
const counted: unknown[] = []
const limits = {
  takeWith: async (_caller: unknown, rate: string, bytes: number) => void counted.push([rate, bytes]),
}
const home = { groupId: GROUP, mlsGroupId: GROUP, hub: 'b.example', roomId: 'mimi://b.example/r/x' }

/** The real table over services that say by which method they were called. */
function tableOfEchoes(): OperationsTable {
  const echo = new Proxy(
    {},
    {
      get:
        (_, method) =>
        async (...args: unknown[]) => [method, ...args.slice(1)],
    },
  )
  return groupOperations(...(Array.from({ length: 10 }, () => echo) as unknown as Parameters<typeof groupOperations>))
}

function operationsOf(hub?: { calls: HubCall[] }) {
  const peers = {
    call: async (_home: unknown, _caller: unknown, call: HubCall) => hub?.calls.push(call),
    findRoom: () => Promise.reject(new Error()),
    introduce: () => Promise.reject(new Error()),
  }
  return new GroupOperations(tableOfEchoes(), { hubOf: async () => (hub ? { home, peers } : undefined) }, limits)
}

describe('a call about a group', () => {
  it('is made here if the group is at home here', async () => {
    expect(await operationsOf().call('ban', caller, GROUP, { user: 'mimi://a.example/u/bob' })).toEqual([
      'ban',
      GROUP,
      'mimi://a.example/u/bob',
    ])
  })

  it('goes to the hub otherwise: handshakes and messages by MIMI, the rest by name', async () => {
    const hub = { calls: [] as HubCall[] }
    const operations = operationsOf(hub)
    await operations.call('commit', caller, GROUP, { commit: GROUP })
    await operations.call('proposal', caller, GROUP, { proposal: GROUP })
    await operations.call('message', caller, GROUP, { message: GROUP })
    await operations.call('leave', caller, GROUP, {})
    expect(hub.calls).toEqual([
      { endpoint: 'commit', body: { commit: GROUP } },
      { endpoint: 'proposal', body: { proposal: GROUP } },
      { endpoint: 'message', body: { message: GROUP } },
      { endpoint: 'operation', name: 'leave', args: {} },
    ])
  })

  it.each(['commit', 'message', 'constructor', '__proto__', 'toString', ''])('of a follower is refused as operation %j', async (name) => {
    const refused = operationsOf().performFor(caller, GROUP, name, { commit: GROUP, message: GROUP })
    await expect(refused).rejects.toThrow('knows no such operation')
  })

  it('of a follower is refused with arguments of another form', async () => {
    for (const args of [undefined, null, [], { user: 5 }, { user: 'x\0' }])
      await expect(operationsOf().performFor(caller, GROUP, 'ban', args)).rejects.toThrow('arguments')
  })

  it('counts before it is made or passed on, by its kind and by its bytes', async () => {
    counted.length = 0
    const commit = { commit: Buffer.alloc(5), welcomes: [Buffer.alloc(3), Buffer.alloc(4)], removed: ['mimi://a.example/d/b/c'] }
    await operationsOf().call('commit', caller, GROUP, commit)
    await operationsOf({ calls: [] }).call('message', caller, GROUP, { message: GROUP })
    await operationsOf().perform('proposal', caller, GROUP, { proposal: GROUP })
    await operationsOf().performFor(caller, GROUP, 'group', {})
    expect(counted).toEqual([
      ['commits', 12],
      ['messages', 1],
      ['proposals', 1],
      ['reads', 0],
    ])
  })

  it('has its name on the page for other providers', () => {
    const page = readFileSync(new URL('../../../docs/federation-profile.md', import.meta.url), 'utf8')
    const table = page.slice(page.indexOf('| Operation | `args` |'), page.indexOf('The result is that of the call'))
    const named = table.split('\n').flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`([a-z-]+)`/g)].map(([, name]) => name))
    const names = Object.entries(tableOfEchoes()).flatMap(([name, operation]) => ('toHub' in operation ? [] : [name]))
    expect(named.toSorted()).toEqual([...names, 'revoked'].toSorted())
  })
})
