import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { KeyObject } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromBase64url, toBase64url } from '../../../src/platform/http/bytes.js'
import { deviceLoginContent } from '../../../src/protocol/device-login.js'
import { passkeyChallenge } from '../../../src/protocol/identity/signatures.js'
import { signContent } from '../../../src/protocol/mls/signature.js'
import type { ChallengePurpose } from '../../../src/authentication/challenges/challenge-purpose.js'
import { newName, UNLIMITED } from '../../authentication/device-fixture.js'
import { createTestDatabase, type TestDatabase } from '../../support/database.js'
import { privateKey } from '../../support/mls/device-lists.js'
import { startServer, type TestServer } from '../../support/server.js'
import { ListedAccount, refusalOf } from '../listed-account.js'
import { AAGUID, Maker, newPasskeyKey, registrationOf, type Registration, type RegistrationWish } from './authenticator.js'

const RP_ID = 'passkeys.example'
const OTHER_MODEL = '00000000-0000-0000-0000-000000000002'
const SETTINGS = { ...UNLIMITED, LIMITS: 'device-list-changes=10000' }

let folder: string
let maker: Maker
/** Trusted, too. */
let another: Maker
let database: TestDatabase
/** Asks for no attestation. */
let open: TestServer
/** On the same database; takes authenticators of one model of the maker, for one RP ID. */
let strict: TestServer
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'microchat-roots-'))
  const roots = join(folder, 'roots.pem')
  ;[maker, another] = await Promise.all([Maker.make(), Maker.make({ aaguid: OTHER_MODEL })])
  await writeFile(roots, `Another maker\n${another.root.toString('pem')}\nThe maker\n${maker.root.toString('pem')}\n`)
  database = await createTestDatabase()
  open = await startServer(SETTINGS, { database })
  strict = await startServer(
    {
      ...SETTINGS,
      PASSKEY_ATTESTATION: 'required',
      PASSKEY_ATTESTATION_ROOTS: roots,
      PASSKEY_AAGUIDS: `00000000-0000-0000-0000-000000000001,${AAGUID.toUpperCase()}`,
      PASSKEY_RP_IDS: `${RP_ID},other.example`,
    },
    { database },
  )
})
afterAll(async () => {
  await strict.close()
  await open.close()
  await database.drop()
  await rm(folder, { recursive: true })
})

interface Tried {
  rpId?: string
  key?: KeyObject
  maker?: Pick<Maker, 'chain' | 'key'> | undefined
  wish?: RegistrationWish
  purpose?: ChallengePurpose
  /** For whom the challenge is. */
  client?: string
  challenge?: Uint8Array
  nonce?: string
  spoil?: (made: Registration) => Registration
}

interface Attestation {
  nonce: string
  client_data_json: string
  attestation_object: string
}

/** A registration answer to a fresh challenge, as it is sent. */
async function attested({ phone }: ListedAccount, key: KeyObject, tried: Tried): Promise<Attestation> {
  const client = tried.client ?? phone.client
  const given = await phone.http.challenge(client, tried.purpose ?? 'new-passkey')
  const { domain, expires_at: expiresAt, label } = given
  const content = deviceLoginContent({ domain, client, nonce: fromBase64url(given.nonce)!, expiresAt: BigInt(expiresAt) })
  const challenge = tried.challenge ?? passkeyChallenge(signContent(label, content))
  const by = 'maker' in tried ? tried.maker : maker
  const made = registrationOf(key, { rpId: tried.rpId ?? RP_ID, challenge }, by, tried.wish)
  const { clientDataJson, attestationObject } = tried.spoil?.(made) ?? made
  const [client_data_json, attestation_object] = [toBase64url(clientDataJson), toBase64url(attestationObject)]
  return { nonce: tried.nonce ?? given.nonce, client_data_json, attestation_object }
}

/** Certifies a new passkey. @returns the refusal, or that there is none; @param attestation null: none is sent */
async function certify(account: ListedAccount, tried: Tried = {}, attestation?: Attestation | null): Promise<string> {
  const key = tried.key ?? newPasskeyKey()
  const sent = attestation === undefined ? await attested(account, key, tried) : attestation
  await account.list.certify(account.holder, tried.rpId ?? RP_ID, key, { kind: 'passkey', rights: 1 })
  const update = { ...(await account.update(account.list.number)), ...(sent === null ? {} : { attestation: sent }) }
  const answer = await account.phone.call('POST', '/v1/device-list', update)
  if (answer.status !== 200) account.list.entries.pop()
  return refusalOf(answer)
}

const DONE = 'no problem but 200'

describe('where the operator asks for attestations', () => {
  it.each(['ec', 'ed25519'] as const)('a passkey (%s) whose maker attests it is certified', async (type) => {
    const account = await ListedAccount.registered(strict.url)
    expect(await certify(account, { key: newPasskeyKey(type) })).toBe(DONE)
    // A count of signatures says nothing here.
    expect(await certify(account, { wish: { counter: 0xffff_ffff } })).toBe(DONE)
  })

  it('one is certified with the identity of a new account', async () => {
    const account = await ListedAccount.prepared(strict.url)
    const key = newPasskeyKey()
    await account.list.certify(account.list.root, RP_ID, key, { kind: 'passkey', rights: 1 })
    expect(refusalOf(await account.register())).toBe('passkey-attestation')
    const attestation = await attested(account, key, {})
    const answer = await account.register({ device_list: { ...(await account.update(1)), attestation } })
    expect(answer.status).toBe(201)
  })

  it('other changes need none, and take none', async () => {
    const account = await ListedAccount.registered(strict.url)
    await account.list.certify(account.holder, '', privateKey(), { kind: 'recovery-key', rights: 1 })
    const attestation = await attested(account, newPasskeyKey(), {})
    const update = await account.update(3)
    expect(refusalOf(await account.phone.call('POST', '/v1/device-list', { ...update, attestation }))).toBe('passkey-attestation')
    expect(refusalOf(await account.phone.call('POST', '/v1/device-list', update))).toBe(DONE)
  })

  it.each<[string, Tried]>([
    ['attests itself', { maker: undefined }],
    ['is not attested', { maker: undefined, wish: { fmt: 'none' } }],
    ['is attested in a format that nobody reads', { wish: { fmt: 'tpm' } }],
    ['is not the one that was attested', { wish: { key: newPasskeyKey() } }],
    ['has a key of another kind than the attested one', { wish: { key: newPasskeyKey('ed25519') } }],
    ['was made for another RP ID', { wish: { rpId: 'evil.example' } }],
    ['was made by another page', { wish: { origin: 'https://evil.example' } }],
    ['was made inside another page', { wish: { crossOrigin: true } }],
    ['was not made, but asked for a signature', { wish: { type: 'webauthn.get' } }],
    ['was made without its user being verified', { wish: { flags: 0x41 } }],
    ['was made without its user being there', { wish: { flags: 0x44 } }],
    ['answers another challenge', { challenge: new Uint8Array(32) }],
    ['answers a challenge of a login', { purpose: 'login' }],
    ['answers no challenge', { nonce: toBase64url(new Uint8Array(32)) }],
    ['answers somebody else’s challenge', { client: `mimi://localhost/d/${newName()}/phone` }],
    ['has an attestation of something else', { wish: { over: new Uint8Array(64) } }],
    ['has an attestation by another key than its certificate’s', { wish: { signer: newPasskeyKey() } }],
    ['is of a model that serves, by its own word', { wish: { aaguid: '00000000-0000-0000-0000-000000000001' } }],
    ['comes with bytes that are none', { spoil: (made) => ({ ...made, attestationObject: new Uint8Array(64) }) }],
    [
      'comes with an object in which arrays nest without end',
      { spoil: (made) => ({ ...made, attestationObject: new Uint8Array(16_384).fill(0x81) }) },
    ],
    ['comes with client data that are none', { spoil: (made) => ({ ...made, clientDataJson: Buffer.from('{"type":"webauthn.create"}') }) }],
  ])('one that %s is not certified', async (_what, tried) => {
    const account = await ListedAccount.registered(strict.url)
    expect(await certify(account, tried)).toBe('passkey-attestation')
    expect(await certify(account)).toBe(DONE)
  })

  it('one that comes without an attestation, or with one that was sent before, is not certified', async () => {
    const account = await ListedAccount.registered(strict.url)
    expect(await certify(account, {}, null)).toBe('passkey-attestation')
    const key = newPasskeyKey()
    const attestation = await attested(account, key, {})
    const challenges = async () => {
      const { rowCount } = await strict.pool.query('SELECT FROM challenge WHERE nonce = $1', [fromBase64url(attestation.nonce)])
      return rowCount
    }
    expect(await challenges()).toBe(1)
    expect(await certify(account, { key }, attestation)).toBe(DONE)
    expect(await challenges()).toBe(0)
    expect(await certify(account, { key: newPasskeyKey() }, attestation)).toBe('passkey-attestation')
    // Each key is in a list once, so the same one could come back by another account alone.
    const friend = await ListedAccount.registered(strict.url)
    expect(await certify(friend, { key }, attestation)).toBe('passkey-attestation')
  })

  it('one whose chain does not lead to a root is not certified', async () => {
    const account = await ListedAccount.registered(strict.url)
    const stranger = await Maker.make()
    const [own, middle] = maker.chain
    const chains: Pick<Maker, 'chain' | 'key'>[] = [
      stranger,
      { key: maker.key, chain: [own!] },
      { key: maker.key, chain: [own!, stranger.chain[1]!] },
      { key: stranger.key, chain: [stranger.chain[0]!, middle!] },
      { key: stranger.key, chain: [stranger.chain[0]!, maker.root] },
      { key: maker.key, chain: [own!, middle!, maker.root, middle!, maker.root] },
    ]
    for (const chain of chains) expect(await certify(account, { maker: chain })).toBe('passkey-attestation')
    expect(await certify(account, { maker: { key: maker.key, chain: [own!, middle!, maker.root] } })).toBe(DONE)
  })

  it('one of a model that the operator does not name is not certified, though its maker is trusted', async () => {
    const account = await ListedAccount.registered(strict.url)
    expect(await certify(account, { maker: another, wish: { aaguid: OTHER_MODEL } })).toBe('passkey-attestation')
    expect(await certify(account, { maker: another })).toBe('passkey-attestation')
  })

  it('two at once are not certified by one attestation', async () => {
    const account = await ListedAccount.registered(strict.url)
    const key = newPasskeyKey()
    const attestation = await attested(account, key, {})
    for (const one of [key, newPasskeyKey()]) await account.list.certify(account.holder, RP_ID, one, { kind: 'passkey', rights: 1 })
    const answer = await account.phone.call('POST', '/v1/device-list', { ...(await account.update(3)), attestation })
    expect(refusalOf(answer)).toBe('passkey-attestation')
  })

  it('one of an RP ID that the operator does not name is not certified', async () => {
    const account = await ListedAccount.registered(strict.url)
    expect(await certify(account, { rpId: 'evil.example' })).toBe('passkey-rp-id')
    expect(await certify(account, { rpId: 'other.example' })).toBe(DONE)
  })
})

describe('certificates of a maker that the operator trusts attest nothing', () => {
  it.each<[string, Parameters<typeof Maker.make>[0]]>([
    ['whose intermediate is no CA', { ca: false }],
    ['when their time is over', { until: Date.now() - 60_000, middleUntil: Date.now() + 60_000 }],
    ['when the time of the intermediate is over', { middleUntil: Date.now() - 60_000 }],
  ])('%s', async (_what, making) => {
    const careless = await Maker.make(making)
    const roots = join(folder, 'careless.pem')
    await writeFile(roots, careless.root.toString('pem'))
    const server = await startServer({ ...SETTINGS, PASSKEY_ATTESTATION: 'required', PASSKEY_ATTESTATION_ROOTS: roots }, { database })
    try {
      const account = await ListedAccount.registered(server.url)
      expect(await certify(account, { maker: careless })).toBe('passkey-attestation')
    } finally {
      await server.close()
    }
  })
})

describe('where nobody asks for attestations', () => {
  it('a passkey is certified without one, and with one of any maker or of its own', async () => {
    const account = await ListedAccount.registered(open.url)
    expect(await certify(account, {}, null)).toBe(DONE)
    expect(await certify(account, { maker: undefined, rpId: 'any.example' })).toBe(DONE)
    expect(await certify(account, { maker: await Maker.make(), wish: { aaguid: AAGUID } })).toBe(DONE)
  })

  it('one that is given has to be right all the same', async () => {
    const account = await ListedAccount.registered(open.url)
    expect(await certify(account, { maker: undefined, wish: { key: newPasskeyKey() } })).toBe('passkey-attestation')
    expect(await certify(account, { maker: undefined, wish: { over: new Uint8Array(64) } })).toBe('passkey-attestation')
    expect(await certify(account, { maker: undefined, wish: { fmt: 'none' } })).toBe('passkey-attestation')
  })
})
