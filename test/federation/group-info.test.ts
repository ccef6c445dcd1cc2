import { describe, expect, it } from '@jest/globals'
import { getCiphersuiteFromName, getCiphersuiteImpl } from 'ts-mls'
import { decryptWithLabel } from 'ts-mls/crypto/hpke.js'
import { signWithLabel } from 'ts-mls/crypto/signature.js'
import type { Client } from '../../examples/client/client.js'
import { decodeMessage } from '../../src/protocol/mls/message.js'
import { SIGNATURE_SCHEMES, verifyWithLabel } from '../../src/protocol/mls/signature.js'
import {
  decodeGroupInfoAndTree,
  decodeGroupInfoResponse,
  encodeGroupInfoRequest,
  GROUP_INFO_ENCRYPTION_LABEL,
  GROUP_INFO_REQUEST_LABEL,
  GROUP_INFO_RESPONSE_LABEL,
  groupInfoRequestTbs,
} from '../../src/protocol/mimi/group-info.js'
import { useFederation } from '../support/federated-world.js'
import type { World } from '../support/world.js'

const impl = await getCiphersuiteImpl(getCiphersuiteFromName('MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519'))

async function ask(client: Client, path: string) {
  const keys = client.device.record.keys.get(1)!
  const { publicKey, privateKey } = await impl.hpke.generateKeyPair()
  const tbs = groupInfoRequestTbs({
    cipherSuite: 1,
    signatureKey: keys.publicKey,
    credential: { kind: 'basic', identity: Buffer.from(client.uri) },
    groupInfoKey: await impl.hpke.exportPublicKey(publicKey),
    joiningCode: new Uint8Array(),
  })
  const request = encodeGroupInfoRequest(tbs, await signWithLabel(keys.signKey, GROUP_INFO_REQUEST_LABEL, tbs, impl.signature))
  const { response } = await client.device.http.post<{ response: Uint8Array }>(`${path}/sealed-group-info`, { request })
  const decoded = decodeGroupInfoResponse(new Uint8Array(response))
  if (decoded.kind === 'malformed') throw new Error(decoded.reason)
  return { answer: decoded.value, privateKey }
}

describe('the GroupInfo for a joiner from another provider', () => {
  const federated = useFederation(2)

  it('is sealed to the joiner, signed by the hub, and has tree and proposals with it', async () => {
    const [home, away] = federated.worlds as [World, World]
    const [[alice, carol], [bob]] = await Promise.all([home.cast('alice', 'carol'), away.cast('bob')])
    const room = home.unique('sealed').toLowerCase()
    const group = await home.group(alice, [carol], { room, policy: { external_join: 'open' } })
    await carol.device.http.post(`${group.path}/leave`, {})
    federated.staysBehind(carol)
    const roomId = `mimi://a.example/r/${room}`
    await bob.device.http.get(`/v1/rooms/${encodeURIComponent(roomId)}`)
    const { answer, privateKey } = await ask(bob, group.path)
    if (answer.code !== 'success') throw new Error(answer.code)
    expect(await verifyWithLabel(SIGNATURE_SCHEMES.ed25519, answer.hubKey, GROUP_INFO_RESPONSE_LABEL, answer.tbs, answer.signature)).toBe(
      true,
    )
    const { external_senders: senders } = await alice.device.http.get<{
      external_senders: { scheme: number; signature_key: Uint8Array }[]
    }>('/v1/external-senders')
    expect(Buffer.from(answer.hubKey)).toEqual(
      Buffer.from(senders.find(({ scheme }) => scheme === SIGNATURE_SCHEMES.ed25519)!.signature_key),
    )
    const plain = await decryptWithLabel(
      privateKey,
      GROUP_INFO_ENCRYPTION_LABEL,
      new Uint8Array(Buffer.from(roomId)),
      answer.kemOutput,
      answer.ciphertext,
      impl.hpke,
    )
    const inside = decodeGroupInfoAndTree(plain)
    if (inside.kind === 'malformed') throw new Error(inside.reason)
    const info = decodeMessage(inside.value.groupInfo)
    expect(info.kind === 'decoded' && info.value.wireFormat === 'group-info' && info.value.body.groupContext.epoch).toBe(
      BigInt(group.epoch),
    )
    expect(inside.value.tree.kind).toBe('full')
    expect(inside.value.pending).toHaveLength(1)
  })

  it('is not for strangers', async () => {
    const [home, away] = federated.worlds as [World, World]
    const [[alice], [bob, mallory]] = await Promise.all([home.cast('alice'), away.cast('bob', 'mallory')])
    const group = await home.group(alice, [bob])
    expect((await ask(mallory, group.path)).answer.code).toBe('not-authorized')
    expect((await ask(bob, group.path)).answer.code).toBe('success')
  })
})
