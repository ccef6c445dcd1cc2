import { PROOF_PROBLEMS } from '../../src/authentication/possession/possession.problems.js'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { parse } from 'yaml'
import { ServerProblem } from '../../examples/client/http.js'
import { refusalInWords } from '../../examples/client/refusals.js'
import { utf8 } from '../../examples/client/wire.js'
import { useStage } from '../groups/group-fixture.js'

const stage = useStage()

/** Refusals of requests that no app sends. */
/** Those of proofs of possession too: the client makes another one (`examples/client/possession.ts`). */
const OF_TRANSPORT = [
  'headers-too-large',
  'method-not-allowed',
  'uri-too-long',
  'expectation-failed',
  'transfer-coding-unsupported',
  ...PROOF_PROBLEMS,
]

/** Problem types in the answers of `/v1/groups` and what is below it. */
function refusalsOfGroups(): string[] {
  const document = parse(readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8')) as { paths: Record<string, unknown> }
  const found = new Set<string>()
  const seen = new Set<string>()
  const look = (node: unknown): void => {
    if (typeof node === 'string' && node.startsWith('urn:microchat:problem:')) found.add(node.split(':').at(-1) ?? '')
    if (typeof node !== 'object' || node === null) return
    for (const [key, value] of Object.entries(node)) {
      if (key !== '$ref' || typeof value !== 'string') look(value)
      else if (!seen.has(value)) {
        seen.add(value)
        look(
          value
            .split('/')
            .slice(1)
            .reduce<unknown>((at, part) => (at as Record<string, unknown>)[part], document),
        )
      }
    }
  }
  for (const [path, described] of Object.entries(document.paths)) if (path.startsWith('/v1/groups')) look(described)
  return [...found]
}

async function words(request: Promise<unknown>): Promise<string | undefined> {
  return request.then(
    () => 'no refusal',
    (error: unknown) => refusalInWords(error),
  )
}

describe('the example client says in words', () => {
  it('every refusal that openapi.yaml names for a call about a group', () => {
    const kinds = refusalsOfGroups()
    expect(kinds.length).toBeGreaterThan(25)
    const silent = kinds.filter((kind) => !OF_TRANSPORT.includes(kind) && !refusalInWords(new ServerProblem(400, { type: kind })))
    expect(silent).toEqual([])
  })

  it('what a user who may not do something can do about it', async () => {
    const [alice, bob, mallory] = await stage.cast('alice', 'bob', 'mallory')
    const group = await stage.group(alice, [bob], { policy: { external_join: 'code', join_code: 'open sesame', remove_members: 'admins' } })
    const { http } = bob.device
    const place = { groupId: group.record.groupId, mode: 'public', suite: 1 } as const
    expect(await words(mallory.joinExternally(place))).toContain('Check the invitation or the code')
    expect(await words(http.put(`${group.path}/policy`, { add_members: 'admins' }))).toBe('Only admins of the group may do this.')
    await stage.sync(bob)
    expect(await words(bob.group(place.groupId).remove(alice.uri))).toBe('Only admins may remove members.')
    await alice.device.http.post(`${group.path}/reset`)
    expect(await words(group.update())).toContain('Its admins can begin the one')
    const succeed = () => bob.createGroup({ groupId: utf8(randomUUID()), successorOf: place.groupId })
    expect(await words(succeed())).toMatch(/^An admin is to begin the new group\. From .* on you can do it yourself\.$/u)
    await alice.createGroup({ groupId: utf8(randomUUID()), successorOf: place.groupId })
    expect(await words(group.update())).toContain('It goes on in the group that has taken its place')
    expect(await words(succeed())).toContain('Somebody has begun the new group already')
  })

  it('nothing where the server was not asked, or said nothing of use', () => {
    expect(refusalInWords(new Error('a defect of the app'))).toBeUndefined()
    expect(refusalInWords(new ServerProblem(400, { type: 'urn:microchat:problem:signature-missing' }))).toBeUndefined()
  })
})
