import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { fromBase64url, toBase64url } from '../../src/platform/http/bytes.js'
import { makeGroupContext } from '../../src/protocol/mls/structures/group-info.js'
import { encodeRatchetTree } from '../../src/protocol/mls/structures/ratchet-tree.js'
import { TlsWriter } from '../../src/protocol/tls/writer.js'
import { newKey, TestDevice, UNLIMITED } from '../authentication/device-fixture.js'
import { encodePrivateMessage } from '../support/mls/encode.js'
import { forgeGroupInfo, forgeKeyPackage, forgeLeaf, forgeWelcome } from '../support/mls/forge.js'
import { startServer, type TestServer } from '../support/server.js'

/** Of private use, with the hash and the signatures of suite 1, and a KEM that nobody here knows. */
const SUITE = 0xf001

let server: TestServer
let alice: TestDevice
let bob: TestDevice

beforeAll(async () => {
  server = await startServer(UNLIMITED)
  alice = await TestDevice.registered(server.url)
  bob = await TestDevice.registered(server.url)
})
afterAll(() => server.close())

interface Wish {
  mode?: 'public' | 'private'
  externalJoin?: string
  suite?: number
  signedBy?: TestDevice['key']
  /** It says that it begins at epoch 1. */
  branchOf?: Uint8Array
}

async function create({ mode = 'private', externalJoin = 'none', suite = SUITE, signedBy = alice.key, branchOf }: Wish = {}) {
  const groupId = randomBytes(16)
  const leaf = await forgeLeaf(alice.key, alice.client, { kind: 'key-package' }, undefined, { suite, encryptionKey: randomBytes(1216) })
  const context = makeGroupContext({
    version: 1,
    cipherSuite: suite,
    groupId,
    epoch: branchOf ? 1n : 0n,
    treeHash: randomBytes(32),
    confirmedTranscriptHash: new Uint8Array(),
    extensions: [],
  })
  const groupInfo = await forgeGroupInfo(context, signedBy, { confirmationTag: randomBytes(32) })
  const body = {
    mode,
    group_info: toBase64url(groupInfo),
    ratchet_tree: toBase64url(encodeRatchetTree({ leaves: [leaf], parents: [] })),
    policy: { external_join: externalJoin },
    ...(branchOf ? { branch_of: toBase64url(branchOf) } : {}),
  }
  return { groupId, path: `/v1/groups/${toBase64url(groupId)}`, answer: await alice.call('POST', '/v1/groups', body) }
}

function hidden(groupId: Uint8Array, epoch: bigint, contentType: 'commit' | 'application'): string {
  const [authenticatedData, encryptedSenderData, ciphertext] = [new Uint8Array(), randomBytes(32), randomBytes(200)]
  const message = encodePrivateMessage({ groupId, epoch, contentType, authenticatedData, encryptedSenderData, ciphertext })
  return toBase64url(new TlsWriter().uint32(0x0001_0002).raw(message).written())
}

async function publish(hash: string | undefined, suite = SUITE) {
  const leaf = { encryptionKey: randomBytes(1216) }
  const keyPackage = await forgeKeyPackage(bob.key, bob.client, suite, {
    initKey: randomBytes(1216),
    leaf: { ...leaf, lifetime: lifetime() },
  })
  const framed = toBase64url(new TlsWriter().uint32(0x0001_0005).raw(keyPackage).written())
  const other_suites = hash === undefined ? [] : [{ cipher_suite: suite, hash }]
  return bob.call('POST', '/v1/key-packages', { key_packages: [framed], other_suites })
}

function lifetime(): [bigint, bigint] {
  const now = BigInt(Math.floor(Date.now() / 1000))
  return [now - 60n, now + 86_400n]
}

describe('a group of a suite that the server does not know', () => {
  it('is refused in public mode, with a word that private mode takes it', async () => {
    const { answer } = await create({ mode: 'public' })
    expect(answer).toMatchObject({ status: 422, body: { rule: 'cipher-suite', detail: expect.stringContaining('private group') } })
  })

  it('begins at epoch 0, also as a branch', async () => {
    const { groupId } = await create()
    const { answer } = await create({ branchOf: groupId })
    expect(answer).toMatchObject({ status: 422, body: { rule: 'group-info-epoch' } })
  })

  it('adds by a Welcome, commits and talks in private mode', async () => {
    const { answer, groupId, path } = await create()
    expect(answer).toMatchObject({ status: 201, body: { mode: 'private' } })
    expect(await publish('sha256')).toMatchObject({ status: 201 })
    const claim = await alice.call('POST', '/v1/key-packages/claims', { user: bob.user, cipher_suites: [SUITE] })
    const [claimed] = (claim.body as unknown as { key_packages: { ref: string }[] }).key_packages
    const welcome = toBase64url(forgeWelcome([fromBase64url(claimed!.ref)!], SUITE, 1120))
    const commit = await alice.call('POST', `${path}/commits`, { commit: hidden(groupId, 0n, 'commit'), welcomes: [welcome] })
    expect(commit).toMatchObject({ status: 200, body: { epoch: 1 } })
    expect(await bob.call('POST', `${path}/messages`, { message: hidden(groupId, 1n, 'application') })).toMatchObject({ status: 200 })
    expect(await bob.call('GET', path)).toMatchObject({ status: 200, body: { epoch: 1, cipher_suite: SUITE } })
    expect(await bob.call('POST', `${path}/leave`)).toMatchObject({ status: 202 })
  })

  it.each([
    ['ML-DSA-44', 0x0904],
    ['ML-DSA-65', 0x0905],
    ['ML-DSA-87', 0x0906],
  ])('may sign by %s, whose keys register, log in, publish and found', async (_name, scheme) => {
    const [first, second] = [alice, bob]
    alice = await TestDevice.registered(server.url, undefined, newKey(scheme))
    bob = await TestDevice.registered(server.url, undefined, newKey(scheme))
    try {
      expect(await alice.login()).toMatchObject({ status: 201 })
      const { answer, groupId, path } = await create()
      expect(answer).toMatchObject({ status: 201, body: { mode: 'private' } })
      expect((await create({ signedBy: newKey(scheme) })).answer).toMatchObject({ status: 422, body: { rule: 'group-info-signature' } })
      expect(await publish('sha384')).toMatchObject({ status: 201 })
      const claim = await alice.call('POST', '/v1/key-packages/claims', { user: bob.user, cipher_suites: [SUITE] })
      const [claimed] = (claim.body as unknown as { key_packages: { ref: string }[] }).key_packages
      const welcome = toBase64url(forgeWelcome([fromBase64url(claimed!.ref)!], SUITE, 1120))
      const commit = await alice.call('POST', `${path}/commits`, { commit: hidden(groupId, 0n, 'commit'), welcomes: [welcome] })
      expect(commit).toMatchObject({ status: 200, body: { epoch: 1 } })
    } finally {
      ;[alice, bob] = [first, second]
    }
  })

  it('takes no external joins, neither at first nor later', async () => {
    expect((await create({ externalJoin: 'open' })).answer).toMatchObject({ status: 422, body: { rule: 'cipher-suite' } })
    const { path } = await create()
    expect(await alice.call('PUT', `${path}/policy`, { external_join: 'open' })).toMatchObject({ status: 403 })
    expect(await alice.call('PUT', `${path}/policy`, { add_members: 'admins' })).toMatchObject({ status: 200 })
  })

  it('is of the device that signs for it, and of no GREASE', async () => {
    expect((await create({ signedBy: newKey() })).answer).toMatchObject({ status: 422, body: { rule: 'group-info-signature' } })
    expect((await create({ suite: 0x0a0a })).answer).toMatchObject({ status: 422, body: { rule: 'cipher-suite' } })
  })
})

describe('a KeyPackage of such a suite', () => {
  it.each([
    ['without its hash', undefined, SUITE],
    ['of a GREASE suite', 'sha256', 0x1a1a],
  ])('is refused %s', async (_case, hash, suite) => {
    expect(await publish(hash, suite)).toMatchObject({ status: 422, body: { rule: 'key-package-cipher-suite' } })
  })

  it('is called by that hash', async () => {
    const { body } = await publish('sha512')
    expect(fromBase64url((body as unknown as { stored: { ref: string }[] }).stored[0]!.ref)).toHaveLength(64)
  })

  it('cannot be of a suite whose hash is known', async () => {
    expect(await publish('sha256', 1)).toMatchObject({ status: 400 })
  })
})
