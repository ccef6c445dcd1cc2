import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { SealedSender, type Send } from '../../examples/client/sealed/sealed-sender.js'
import { TokenPurse } from '../../examples/client/sealed/tokens.js'
import { at, type World } from '../support/world.js'

/** Small batches: blinding in JavaScript takes its time. */
export const SMALL_BATCHES = { TOKENS_PER_BATCH: '4' }

/** Tokens of the hub, which takes them back; `origin` is for those that it must not take. */
export function purseOf(client: Client, hub: string, origin = hub): TokenPurse {
  return new TokenPurse(client.device.http, hub, origin)
}

/** These clients, each with tokens and the epoch's key, ready to post to the group without saying so. */
export async function sealedSenders(hub: World, group: Group, clients: readonly Client[], send?: Send): Promise<SealedSender[]> {
  return Promise.all(
    clients.map(async (client) => {
      const purse = purseOf(client, hub.domain)
      await purse.fill()
      const sender = new SealedSender(at(client, group), purse, send, async () => {})
      await sender.prepare()
      return sender
    }),
  )
}
