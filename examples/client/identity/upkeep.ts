import type { Client } from '../client.js'
import { believePolicy } from '../policy.js'
import { activeDevice } from './list.js'
import { lookAtOwnList } from './notices.js'

/**
 * What a client does at login and once a day: it looks at its own list, signs a new head in time, and renews its certificate at half of
 * its time; after that come KeyPackages and leaves with the new one, as the former one serves for 7 days.
 */
export async function keepUp(client: Client): Promise<void> {
  const { device } = client
  for (const group of client.groups.values()) if (group.record.standing === 'member') await believePolicy(group)
  if (!device.record.certified || !device.own.exists) return
  client.identityEvents.push(...(await lookAtOwnList(device)))
  await device.own.renewHead()
  if (!isHalfOver(client)) return
  await device.own.renewCertificate()
  await device.publishKeyPackages(20)
  await client.showNewLeaf()
}

function isHalfOver({ device: { own, identities }, uri }: Client): boolean {
  const certificate = activeDevice(own.kept.list, uri)
  return certificate !== undefined && identities.time >= (certificate.notBefore + certificate.notAfter) / 2n
}
