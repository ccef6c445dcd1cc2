import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../../examples/client/client.js'
import { createDeviceInvite } from '../../../src/authentication/accounts/administration.js'
import { IdentityNotices } from '../../../src/authentication/identity-notices/identity-notices.job.js'
import { useFederation } from '../../support/federated-world.js'
import type { Provider } from '../../support/federation.js'
import type { World } from '../../support/world.js'

const federated = useFederation(2)
const providers = () => federated.providers as [hub: Provider, peer: Provider]
const worlds = () => federated.worlds as [World, World]

/** The operator of a provider lets somebody register again under a user's name. */
async function beginAgain({ pool }: Provider, world: World, { user }: Client): Promise<void> {
  const invite = await createDeviceInvite(pool, user, 60_000)
  const impostor = await world.unknown(user.split('/').at(-1)!, 'new')
  await impostor.device.register(invite!.code)
}

/** As if the copies of lists were older than what those who ask at the same time share. */
const outdate = ({ pool }: Provider) => pool.query(`UPDATE foreign_device_list SET fetched_at = fetched_at - interval '1 minute'`)

const runJob = ({ app }: Provider) => app.get(IdentityNotices, { strict: false }).run()

async function heard({ pool }: Provider, client: Client): Promise<unknown[]> {
  const { rows } = await pool.query(
    `SELECT payload ->> 'user' AS user FROM inbox WHERE kind = 'identity.changed' AND device_id = (SELECT id FROM device WHERE client_uri = $1)`,
    [client.uri],
  )
  return rows.map(({ user }) => user)
}

/** A member reads the list of a user of the other provider again, who has begun another identity there. */
async function reads(member: Client, user: Client, at: 0 | 1): Promise<void> {
  const [provider, other] = [providers()[at], providers()[at === 0 ? 1 : 0]]
  expect((await member.device.identities.of(user.user))?.trouble).toBeUndefined()
  await beginAgain(other, worlds()[at === 0 ? 1 : 0], user)
  await runJob(provider)
  expect(await heard(provider, member)).toEqual([])
  await outdate(provider)
  const read = await member.device.identities.of(user.user, { fresh: true })
  expect(read?.trouble).toMatchObject({ reason: 'identity-changed' })
  // A stream would take the item.
  await member.disconnect()
  await runJob(provider)
}

describe('members at another provider than that of a user who begins another identity', () => {
  it('hear of it in a group of their provider once that has read the new list, and not before', async () => {
    const [alice, stranger, idle] = await worlds()[0].cast('alice', 'carol', 'dave')
    const [bob] = await worlds()[1].cast('bob')
    await worlds()[0].group(alice, [bob, idle])
    await idle.disconnect()
    await reads(alice, bob, 0)
    for (const member of [alice, idle]) expect(await heard(providers()[0], member)).toEqual([bob.user])
    expect(await heard(providers()[0], stranger)).toEqual([])
  })

  it('see it for themselves in a group of the other provider: their own knows no members of it but its users', async () => {
    const [alice] = await worlds()[0].cast('alice')
    const [bob] = await worlds()[1].cast('bob')
    await worlds()[0].group(alice, [bob])
    await reads(bob, alice, 1)
    expect(await heard(providers()[1], bob)).toEqual([])
  })
})
