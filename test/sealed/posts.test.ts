import { describe, expect, it } from '@jest/globals'
import { WWWAuthenticateHeader } from '@cloudflare/privacypass-ts'
import { sealedRequest, type SealedRequest } from '../../examples/client/sealed/sealed-post.js'
import { keyPair, publishSenderKey, senderKey, type SenderKey } from '../../examples/client/sealed/sender-key.js'
import { toBase64Url } from '../../examples/client/wire.js'
import { startServer } from '../support/server.js'
import { agreed, GENEROUS, heard, problemOf, World } from '../support/world.js'
import { purseOf, SMALL_BATCHES } from './sealed-sender-fixture.js'
import { messageOf, postOf, sealedGroup, send, spentTokens, useSealedServer } from './sealed-server-fixture.js'

const fixture = useSealedServer()

const refused = async (request: SealedRequest) => {
  const { status, kind } = await problemOf(send(fixture.server.url, request))
  return `${status} ${kind}`
}
const withHeaders = (request: SealedRequest, headers: Record<string, string>): SealedRequest => ({
  ...request,
  headers: { ...request.headers, ...headers },
})

describe('a post without a sender', () => {
  it('is answered with its place, and read by all, the poster included', async () => {
    const [alice, bob] = await fixture.world.cast('alice', 'bob')
    const { group, key, purse } = await sealedGroup(fixture.world, [alice, bob])
    const message = await group.encrypt('hello', group.epoch)
    const accepted = await send(fixture.server.url, sealedRequest(group.record.groupId, key, purse.take(), message))
    expect(accepted).toMatchObject({ epoch: 1, incarnation: 1 })
    await heard([alice, bob], group, ['hello'])
    const { cursor } = bob.group(group.record.groupId).record
    expect(cursor).toBe(accepted.seq)
  })

  it('without a token gets a challenge that a client of the standard understands', async () => {
    const [alice] = await fixture.world.cast('alice')
    const { group, key, purse } = await sealedGroup(fixture.world, [alice])
    const request = await postOf(group, key, purse.take(), 'hello')
    for (const authorization of ['', `Bearer ${alice.device.http.accessToken}`, 'PrivateToken token="AAAA"']) {
      const answer = await fetch(fixture.server.url + request.path, {
        method: 'POST',
        headers: { ...request.headers, authorization },
        body: new Uint8Array(request.body),
      })
      expect(answer.status).toBe(401)
      const [challenge] = WWWAuthenticateHeader.parse(answer.headers.get('www-authenticate') ?? '')
      expect(challenge?.challenge).toMatchObject({ tokenType: 2, issuerName: 'localhost', originInfo: ['localhost'] })
      expect(challenge?.challenge.redemptionContext).toHaveLength(0)
      expect((await answer.json()) as object).toMatchObject({ type: expect.stringMatching(/token-required$/) })
    }
  })

  it('does not take a token of another hub, of a key that is not ours, or one that was changed', async () => {
    const [alice] = await fixture.world.cast('alice')
    const { group, key, purse } = await sealedGroup(fixture.world, [alice])
    const elsewhere = await startServer({ ...GENEROUS, ...SMALL_BATCHES, DOMAIN: 'b.example' })
    const away = new World(elsewhere.url, 'b.example')
    try {
      const [bob] = await away.cast('bob')
      const foreign = purseOf(bob, 'b.example')
      await foreign.fill()
      expect(await refused(await postOf(group, key, foreign.take(), 'no'))).toBe('401 token-required')
    } finally {
      await away.disconnect()
      await elsewhere.close()
    }
    for (const part of ['nonce', 'tokenKeyId', 'challengeDigest'] as const) {
      const token = purse.take()
      token.authInput[part][0]! ^= 1
      expect(await refused(await postOf(group, key, token, 'no'))).toBe('401 token-required')
    }
    // Well signed by our own issuer, who cannot see for what.
    const astray = purseOf(alice, 'localhost', 'b.example')
    await astray.fill()
    expect(await refused(await postOf(group, key, astray.take(), 'no'))).toBe('401 token-required')
    const token = purse.take()
    token.authenticator[17]! ^= 1
    expect(await refused(await postOf(group, key, token, 'no'))).toBe('401 token-required')
  })

  it('spends its token: another message with it is refused', async () => {
    const [alice] = await fixture.world.cast('alice')
    const { group, key, purse } = await sealedGroup(fixture.world, [alice])
    const token = purse.take()
    await send(fixture.server.url, await postOf(group, key, token, 'first'))
    expect(await refused(await postOf(group, key, token, 'second'))).toBe('401 token-spent')
    await group.catchUp()
    expect(group.record.cursor).toBe(1)
  })

  it('sent again is one message and one token, with the same answer; with a new token that one is kept', async () => {
    const [alice] = await fixture.world.cast('alice')
    const { group, key, purse } = await sealedGroup(fixture.world, [alice])
    const before = await spentTokens(fixture)
    const request = await postOf(group, key, purse.take(), 'once')
    const first = await send(fixture.server.url, request)
    expect(await send(fixture.server.url, request)).toEqual(first)
    const other = purse.take()
    expect(await send(fixture.server.url, sealedRequest(group.record.groupId, key, other, request.body))).toEqual(first)
    expect((await spentTokens(fixture)) - before).toBe(1)
    await send(fixture.server.url, await postOf(group, key, other, 'another'))
  })

  it('that is refused spends nothing', async () => {
    const [alice] = await fixture.world.cast('alice')
    const { group, key, purse } = await sealedGroup(fixture.world, [alice])
    const before = await spentTokens(fixture)
    const token = purse.take()
    const wrong: SenderKey = { epoch: key.epoch, ...keyPair(new Uint8Array(32).fill(9)) }
    expect(await refused(await postOf(group, wrong, token, 'no'))).toBe('403 member-proof')
    expect(await spentTokens(fixture)).toBe(before)
    await send(fixture.server.url, await postOf(group, key, token, 'yes'))
  })
})

describe('the member proof', () => {
  it('is refused with anything changed that it covers', async () => {
    const [alice] = await fixture.world.cast('alice')
    const { group, key, purse } = await sealedGroup(fixture.world, [alice])
    const [token, other] = [purse.take(), purse.take()]
    const request = await postOf(group, key, token, 'hello')
    const otherMessage = await messageOf(group, 'other')
    const ofOther = sealedRequest(group.record.groupId, key, token, otherMessage)
    const { signature = '', 'signature-input': input = '', 'content-digest': digest = '', authorization = '' } = ofOther.headers
    const cases: [string, SealedRequest][] = [
      ['another body', { ...request, body: otherMessage }],
      ['another body and its digest', { ...withHeaders(request, { 'content-digest': digest }), body: otherMessage }],
      ['another signature', withHeaders(request, { signature })],
      ['another token', withHeaders(request, { authorization: authorization.replace(/".*"/, `"${toBase64Url(other.serialize())}"`) })],
      ['no signature', withHeaders(request, { signature: '', 'signature-input': '' })],
      ['a time', withHeaders(request, { 'signature-input': `${input};created=1` })],
      ['less covered', withHeaders(request, { 'signature-input': input.replace(' "authorization"', '') })],
      ['another tag', withHeaders(request, { 'signature-input': input.replace('microchat-member', 'mimi-request') })],
    ]
    const answers = await Promise.all(cases.map(async ([what, changed]) => `${what}: ${await refused(changed)}`))
    expect(answers).toEqual(cases.map(([what]) => `${what}: 403 member-proof`))
    await send(fixture.server.url, request)
  })

  it('is of the group and the epoch in the address', async () => {
    const [alice] = await fixture.world.cast('alice')
    const [one, two] = [await sealedGroup(fixture.world, [alice]), await sealedGroup(fixture.world, [alice])]
    const message = await messageOf(one.group, 'hello')
    const toTwo = sealedRequest(two.group.record.groupId, one.key, one.purse.take(), message)
    expect(await refused(toTwo)).toBe('422 undecodable')
    expect(await refused(sealedRequest(one.group.record.groupId, two.key, one.purse.take(), message))).toBe('403 member-proof')
    const later = { ...one.key, epoch: one.key.epoch + 1 }
    expect(await refused(sealedRequest(one.group.record.groupId, later, one.purse.take(), message))).toBe('400 invalid-request')
  })

  it('of an unknown group is refused like one of a key that nobody has published', async () => {
    const [alice] = await fixture.world.cast('alice')
    const { group, purse } = await sealedGroup(fixture.world, [alice])
    await group.update()
    const unpublished = await senderKey(group)
    const before = await problemOf(send(fixture.server.url, await postOf(group, unpublished, purse.take(), 'no')))
    group.record.groupId = new Uint8Array(group.record.groupId).fill(7)
    group.record.state.groupContext.groupId = group.record.groupId
    const unknown = await problemOf(send(fixture.server.url, await postOf(group, unpublished, purse.take(), 'no')))
    const { instance: _first, ...refusal } = before.document
    const { instance: _second, ...other } = unknown.document
    expect(other).toEqual(refusal)
    expect(unknown.kind).toBe('member-proof')
  })

  it('of a member who was removed is refused, with the old key and with the new epoch', async () => {
    const [alice, mallory] = await fixture.world.cast('alice', 'mallory')
    const { group, key } = await sealedGroup(fixture.world, [alice, mallory])
    const theirs = mallory.group(group.record.groupId)
    const purse = purseOf(mallory, fixture.world.domain)
    await purse.fill()
    const message = await messageOf(theirs, 'still here')
    await group.remove(mallory.uri)
    const token = purse.take()
    expect(await refused(sealedRequest(group.record.groupId, key, token, message))).toBe('409 stale-epoch')
    const next = { ...key, epoch: group.epoch }
    expect(await refused(sealedRequest(group.record.groupId, next, token, message))).toBe('400 invalid-request')
    expect((await problemOf(theirs.device.http.get(`${theirs.path}/sender-keys`))).kind).toBe('not-a-member')
  })

  it('of a member who was removed does not use up what the others may post', async () => {
    const small = await startServer({ ...GENEROUS, ...SMALL_BATCHES, SEALED_MESSAGES_PER_MINUTE: '3' })
    const world = new World(small.url)
    try {
      const [alice, mallory] = await world.cast('alice', 'mallory')
      const { group, key, purse } = await sealedGroup(world, [alice, mallory])
      const kept = purseOf(mallory, world.domain)
      await kept.fill()
      const message = await messageOf(mallory.group(group.record.groupId), 'still here')
      await group.remove(mallory.uri)
      const late = sealedRequest(group.record.groupId, key, kept.take(), message)
      for (let attempt = 0; attempt < 6; attempt++) expect((await problemOf(send(small.url, late))).kind).toBe('stale-epoch')
      await publishSenderKey(group)
      for (let post = 0; post < 3; post++) await send(small.url, await postOf(group, await senderKey(group), purse.take(), `${post}`))
    } finally {
      await world.disconnect()
      await small.close()
    }
  })

  it('that marks itself, by a query or a second signature, is refused', async () => {
    const [alice] = await fixture.world.cast('alice')
    const { group, key, purse } = await sealedGroup(fixture.world, [alice])
    const request = await postOf(group, key, purse.take(), 'hello')
    expect(await refused({ ...request, path: `${request.path}?me=alice` })).toBe('400 invalid-request')
    const { signature = '', 'signature-input': input = '' } = request.headers
    const marked = { signature: `${signature}, me=:AAAA:`, 'signature-input': `${input}, me=("@path");keyid="alice"` }
    expect(await refused(withHeaders(request, marked))).toBe('403 member-proof')
    await send(fixture.server.url, request)
  })

  it('of an epoch below the floor is refused with the present epoch, and of one within it is taken', async () => {
    const [alice, bob] = await fixture.world.cast('alice', 'bob')
    const { group, key, purse } = await sealedGroup(fixture.world, [alice, bob])
    const [early, late] = [await messageOf(group, 'early'), await messageOf(group, 'late')]
    await group.update()
    await send(fixture.server.url, sealedRequest(group.record.groupId, key, purse.take(), early))
    await agreed([bob], group)
    await fixture.database.pool.query('UPDATE groups SET post_floor = epoch WHERE group_id = $1', [group.record.groupId])
    const problem = await problemOf(send(fixture.server.url, sealedRequest(group.record.groupId, key, purse.take(), late)))
    expect([problem.kind, problem.document['current_epoch']]).toEqual(['stale-epoch', group.epoch])
  })
})

describe('hostile bytes', () => {
  it('get a problem and never a 500', async () => {
    const [alice] = await fixture.world.cast('alice')
    const { group, key, purse } = await sealedGroup(fixture.world, [alice])
    const request = await postOf(group, key, purse.take(), 'hello')
    const bodies = [new Uint8Array(), new Uint8Array(5).fill(255), request.body.subarray(0, 40), new Uint8Array(300_000)]
    for (const body of bodies) expect(`${body.length} ${await refused({ ...request, body })}`).toMatch(/ 4\d\d /)
    const inputs = ['', '()', 'member=()', 'member=("@method";req);keyid="AA"', 'member=("@path" "@path");keyid="AAAA"', 'é'.repeat(10)]
    for (const input of inputs) {
      const sent = withHeaders(request, { 'signature-input': Buffer.from(input).toString('latin1') })
      expect([input, await refused(sent)]).toEqual([input, '403 member-proof'])
    }
    for (const path of ['/v1/sealed/!!/1/messages', `/v1/sealed/${'A'.repeat(600)}/1/messages`, request.path.replace('/0/', '/x/')])
      expect(await refused({ ...request, path })).toMatch(/^4\d\d /)
    expect(await refused(withHeaders(request, { 'content-type': 'application/json' }))).toMatch(/^4\d\d /)
  })
})
