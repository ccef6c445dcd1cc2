import { parseArgs } from 'node:util'
import { findUser } from '../../groups/policy/policy.repository.js'
import { assignRoom, groupsOfRoom, releaseRoom, type RoomGroup } from '../../groups/rooms/room-administration.repository.js'
import { roomUri } from '../../groups/rooms/rooms.dto.js'
import { fromBase64url } from '../../platform/http/bytes.js'
import { userUri } from '../../protocol/identifiers.js'
import { userName } from './accounts.js'
import { CliError, print, type Command, withDatabase } from './command.js'

export const roomsShow: Command = {
  name: 'rooms show',
  usage: 'ROOM                  The groups that a room has had, and who looks after them.',
  async run(args) {
    const { positionals } = parseArgs({ args: [...args], allowPositionals: true })
    const lines = await withDatabase(async (pool, { DOMAIN }) => {
      const groups = await groupsOfRoom(pool, room(DOMAIN, positionals))
      if (groups.length === 0) throw new CliError('There is no such room.')
      return groups.map(describe)
    })
    print(lines.join('\n'))
  },
}

export const roomsAssign: Command = {
  name: 'rooms assign',
  usage: 'ROOM [--group ID] [--admin USER]  Make one of its groups the current one, or a user an admin of the current one.',
  async run(args) {
    const options = { group: { type: 'string' }, admin: { type: 'string' } } as const
    const { positionals, values } = parseArgs({ args: [...args], allowPositionals: true, options })
    if (values.group === undefined && values.admin === undefined)
      throw new CliError('Say what to assign: --group ID, --admin USER, or both.')
    const groupId = values.group === undefined ? null : fromBase64url(values.group)
    if (groupId === undefined) throw new CliError('--group takes a group id in base64url, as rooms show prints it.')
    await withDatabase(async (pool, { DOMAIN, SUCCESSOR_GRACE }) => {
      const uri = room(DOMAIN, positionals)
      const adminId = values.admin === undefined ? null : await findUser(pool, userUri({ domain: DOMAIN, user: userName(values.admin) }))
      if (adminId === undefined) throw new CliError(`There is no account ${values.admin}.`)
      const outcome = await assignRoom(pool, uri, { groupId, adminId, grace: SUCCESSOR_GRACE / 1_000 })
      if (outcome !== 'accepted') throw new CliError(REFUSED[outcome])
    })
    print('Done. Members find it in their inboxes, those who are connected within seconds.')
  },
}

export const roomsRelease: Command = {
  name: 'rooms release',
  usage: 'ROOM               Give up the name of a room whose current group is deleted, so that a new group can take it.',
  async run(args) {
    const { positionals } = parseArgs({ args: [...args], allowPositionals: true })
    const outcome = await withDatabase((pool, { DOMAIN }) => releaseRoom(pool, room(DOMAIN, positionals)))
    if (outcome !== 'accepted') throw new CliError(REFUSED[outcome])
    print('The name is free.')
  },
}

const REFUSED = {
  unknown: 'There is no such room.',
  'other-room': 'The room has had no such group, or that one is deleted.',
  changed: 'The room got another current group in this moment. Look at it again.',
  'in-use': 'The current group of the room is not deleted. An admin deletes it, or rooms assign makes somebody an admin first.',
} as const

function room(domain: string, [reference, ...others]: readonly string[]): string {
  if (reference === undefined || others.length > 0) throw new CliError('Which room? Give its name, or mimi://<domain>/r/<name>.')
  const uri = roomUri(domain, reference)
  if (uri === undefined) throw new CliError('This is no room of this provider: give its name, or mimi://<domain>/r/<name>.')
  return uri
}

/** E.g. `* group dGVhbQ  public, epoch 7, 12 members; frozen by mimi://example.com/u/bob (reset) on 2026-01-31T12:00:00Z; admins mimi://example.com/u/alice` */
function describe(group: RoomGroup): string {
  const when = group.frozenAt ? ` on ${group.frozenAt.toISOString().replace(/\.\d+/u, '')}` : ''
  const facts = group.deleted
    ? ['deleted']
    : [
        `${group.mode}, epoch ${group.epoch}, ${group.members} members`,
        ...(group.frozen ? [`frozen by ${group.frozenBy ?? 'somebody unknown'} (${group.frozen})${when}`] : []),
        ...(group.reservedUntil ? [`its place is reserved until ${group.reservedUntil.toISOString().replace(/\.\d+/u, '')}`] : []),
        `admins ${group.admins.join(', ') || 'none'}`,
      ]
  return `${group.current ? '*' : ' '} group ${group.groupId.toString('base64url')}  ${facts.join('; ')}`
}
