import { SignedClient } from '../../src/federation/outbound/signed-client.js'
import type { PeerCall } from '../../src/federation/outbound/signed-client.js'
import type { Provider } from './federation.js'

/** What one provider is answered by another, whatever its users would have asked for. */
export async function callPeer(from: Provider, to: Provider, call: Omit<PeerCall, 'peer'>): Promise<{ status: number; body: Uint8Array }> {
  const answer = await from.app.get(SignedClient).send({ ...call, peer: to.domain })
  if (answer.kind !== 'answered') throw new Error(`Not answered: ${answer.kind}`)
  return { status: answer.status, body: answer.body }
}
