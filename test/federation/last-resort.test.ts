import { expect, it } from '@jest/globals'
import { useFederation } from '../support/federated-world.js'
import { agreed, type World } from '../support/world.js'

const federated = useFederation(2)

it('a user of another provider who has only a last resort left can be added to a second group', async () => {
  const [home, away] = federated.worlds as [World, World]
  const [alice] = await home.cast('alice')
  const [bob] = await away.cast('bob')
  const useUp = () => federated.providers[1]!.pool.query('DELETE FROM key_package WHERE NOT last_resort')
  await useUp()
  await agreed([bob], await home.group(alice, [bob], { mode: 'public' }))
  await bob.disconnect()
  await useUp()
  const second = await home.group(alice, [], { mode: 'public' })
  await second.add(bob.user)
  expect(second.members).toContain(bob.uri)
})
