import { describe, expect, it } from '@jest/globals'
import { disableAccount } from '../../src/authentication/accounts/accounts.repository.js'
import { retireIssuerKeys } from '../../src/tokens/keys/issuer-keys.repository.js'
import type { ServerProblem } from '../../examples/client/http.js'
import { sealedRequest, type SealedRequest } from '../../examples/client/sealed/sealed-post.js'
import { publishSenderKey, senderKey } from '../../examples/client/sealed/sender-key.js'
import { purseOf } from '../sealed/sealed-sender-fixture.js'
import { messageOf, postOf, sealedGroup, send, useSealedServer } from '../sealed/sealed-server-fixture.js'
import { eventually } from '../support/eventually.js'
import { problemOf } from '../support/world.js'

const fixture = useSealedServer()

const refused = async (request: SealedRequest) => {
  const { status, kind } = await problemOf(send(fixture.server.url, request))
  return `${status} ${kind}`
}

describe('the send tokens of a disabled account', () => {
  it('are worth nothing in its groups, from the statement that disables it on', async () => {
    const [alice, bob] = await fixture.world.cast('alice', 'bob')
    const { group, key } = await sealedGroup(fixture.world, [alice, bob])
    const purse = purseOf(bob, fixture.world.domain)
    await purse.fill()
    const [token, message] = [purse.take(), await messageOf(bob.group(group.record.groupId), 'from behind')]
    expect(await disableAccount(fixture.database.pool, bob.user)).toBe(true)
    // No job has run: the posts of all wait for the Commit that removes it.
    expect(await refused(sealedRequest(group.record.groupId, key, token, message))).toBe('409 commit-required')
    await group.remove(bob.uri)
    expect(await refused(sealedRequest(group.record.groupId, key, token, message))).toBe('409 stale-epoch')
    await publishSenderKey(group)
    const next = await senderKey(group)
    expect(await refused(sealedRequest(group.record.groupId, { ...key, epoch: next.epoch }, token, await messageOf(group, 'x')))).toBe(
      '403 member-proof',
    )
  })

  it('do not grow in number', async () => {
    const [bob] = await fixture.world.cast('bob')
    const purse = purseOf(bob, fixture.world.domain)
    await purse.fill()
    await disableAccount(fixture.database.pool, bob.user)
    const kinds = await eventually(
      () =>
        purse.fill().then(
          () => 'filled',
          (error: ServerProblem) => error.kind,
        ),
      (kind) => kind !== 'filled',
    )
    expect(['device-revoked', 'login-refused']).toContain(kinds)
  })

  it('end with those of everybody when the operator retires the keys, and members get new ones', async () => {
    const [alice] = await fixture.world.cast('alice')
    const { group, key, purse } = await sealedGroup(fixture.world, [alice])
    const keys = async () => (await fetch(`${fixture.server.url}/.well-known/private-token-issuer-directory`)).text()
    const before = await keys()
    await retireIssuerKeys(fixture.database.pool)
    await eventually(keys, (seen) => seen !== before)
    expect(await refused(await postOf(group, key, purse.take(), 'late'))).toBe('401 token-required')
    const fresh = purseOf(alice, fixture.world.domain)
    await fresh.fill()
    await send(fixture.server.url, await postOf(group, key, fresh.take(), 'new'))
  })
})
