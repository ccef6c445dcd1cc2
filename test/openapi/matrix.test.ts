import { beforeAll, describe, expect, it } from '@jest/globals'
import { bareToken } from '../support/world.js'
import { useStage } from '../groups/group-fixture.js'
import { CALLERS, Matrix, OF_GROUPS, STATES, type Answered, type Caller, type State } from './access-matrix-fixture.js'
import { OPERATIONS, type Operation } from './operations.js'

/**
 * Who may do what, for every operation of openapi.yaml: a new one is in here from its first day, and is refused to everyone outside until
 * these lists say otherwise.
 */
const FOR_ADMINS = [
  'deleteGroup',
  'resetGroup',
  'undoReset',
  'changePolicy',
  'makeAdmin',
  'makeAdminByQuery',
  'dismissAdmin',
  'dismissAdminByQuery',
  'banUser',
  'banUserByQuery',
  'unbanUser',
  'unbanUserByQuery',
]
/** What a former member may still read: its own part of the log, which ends with its removal. */
const FOR_FORMER_MEMBERS = ['readLog', 'readVanished']
/** What joiners from outside may have, if the policy lets them in; here it does not. */
const FOR_JOINERS = ['getGroupInfo', 'getTree', 'getSealedGroupInfo']
/** Refused for what is in the message, which is of another group than the address, before it is seen who sends it. */
const BY_CONTENT = ['submitCommit', 'postMessage', 'submitProposal']
/** What a frozen group refuses to its members. */
const NOT_WHEN_FROZEN = ['submitCommit', 'postMessage', 'submitProposal', 'publishSenderKey', 'leaveGroup', 'resetGroup']
/** Their examples are of another group and epoch: refused for that, and only to a member. */
const OF_ANOTHER_EPOCH = ['publishSenderKey']
/** Ends what the others need. */
const LAST = ['submitCommit', 'leaveGroup']

const stage = useStage()
const matrix = new Matrix(stage)
beforeAll(() => matrix.prepare())

const isOneOf = ({ id }: Operation, list: readonly string[]) => list.includes(id)
const kindOf = ({ status, type }: Answered) => (status < 300 ? 'done' : type)

function expectedOutside(operation: Operation, state: State, caller: Caller): string {
  if (state === 'unknown') return isOneOf(operation, BY_CONTENT) ? 'undecodable' : 'not-found'
  if (state === 'deleted') return 'group-deleted'
  // As if there were none.
  if (caller === 'stranger') return 'not-found'
  if (isOneOf(operation, FOR_JOINERS)) return 'policy'
  return isOneOf(operation, FOR_FORMER_MEMBERS) ? 'done' : 'not-a-member'
}

function expectedOfMember(operation: Operation, state: State): string {
  if (state === 'unknown' || state === 'deleted') return expectedOutside(operation, state, 'member')
  if (state === 'frozen' && isOneOf(operation, NOT_WHEN_FROZEN)) return 'group-frozen'
  // Enough reports of members may reset as well.
  if (operation.id === 'resetGroup') return 'policy'
  if (isOneOf(operation, FOR_ADMINS)) return 'forbidden'
  return isOneOf(operation, OF_ANOTHER_EPOCH) ? 'possession-unproved' : 'done'
}

/** Every operation of a group in every state, as this caller, and what came out: by name. */
async function column(caller: Caller, operations: readonly Operation[] = OF_GROUPS): Promise<Map<string, string>> {
  const answers = new Map<string, string>()
  for (const operation of operations)
    for (const state of STATES) answers.set(`${operation.id} ${state}`, kindOf(await matrix.ask(operation, state, caller)))
  return answers
}

function expectedColumn(of: (operation: Operation, state: State) => string, operations = OF_GROUPS): Map<string, string> {
  return new Map(operations.flatMap((operation) => STATES.map((state) => [`${operation.id} ${state}`, of(operation, state)] as const)))
}

const OUTSIDE: Caller[] = ['stranger', 'removed', 'banned']

describe('an operation of openapi.yaml', () => {
  it('is one of a group in more than twenty cases, and all lists here name operations that there are', () => {
    expect(OF_GROUPS.length).toBeGreaterThan(20)
    const named = [...FOR_ADMINS, ...FOR_FORMER_MEMBERS, ...NOT_WHEN_FROZEN, ...OF_ANOTHER_EPOCH, ...LAST, ...BY_CONTENT, ...FOR_JOINERS]
    expect(named.filter((id) => !OF_GROUPS.some((operation) => operation.id === id))).toEqual([])
    expect([...matrix.people.keys()]).toEqual([...CALLERS])
  })

  it.each(OUTSIDE)('is refused to those outside, and that changes nothing: %s', async (caller) => {
    const before = await matrix.fingerprint()
    expect(await column(caller)).toEqual(expectedColumn((operation, state) => expectedOutside(operation, state, caller)))
    expect(await matrix.fingerprint()).toEqual(before)
  })

  it('is done for a member, unless it is for admins', async () => {
    const operations = [
      ...OF_GROUPS.filter((operation) => !isOneOf(operation, LAST)),
      ...OF_GROUPS.filter((operation) => isOneOf(operation, LAST)),
    ]
    expect(await column('member', operations)).toEqual(expectedColumn(expectedOfMember))
  })

  it.each(OUTSIDE)('is refused to those outside also with the bytes that a member has succeeded with: %s', async (caller) => {
    const before = await matrix.fingerprint()
    expect(await column(caller)).toEqual(expectedColumn((operation, state) => expectedOutside(operation, state, caller)))
    expect(await matrix.fingerprint()).toEqual(before)
  })

  it('is for admins', async () => {
    const operations = OF_GROUPS.filter((operation) => isOneOf(operation, FOR_ADMINS)).toSorted(
      (a, b) => Number(a.id === 'deleteGroup') - Number(b.id === 'deleteGroup'),
    )
    for (const operation of operations) {
      const { status, type } = await matrix.ask(operation, 'live', 'admin')
      expect([operation.id, status < 300 ? 'done' : type]).toEqual([operation.id, 'done'])
    }
  })
})

describe('an operation that needs a session', () => {
  const secured = OPERATIONS.filter(({ anonymous }) => !anonymous)
  const b64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  let token = ''
  beforeAll(async () => {
    token = await bareToken(matrix.people.get('member')!)
  })
  const real = () => token

  /** A device that had a session. */
  async function former(end: 'logout' | 'revocation'): Promise<string> {
    const [owner, other] = await stage.cast('owner', 'owner/other')
    const token = await bareToken(other)
    if (end === 'logout') await other.device.http.delete('/v1/auth/sessions')
    else await owner.device.revoke('other')
    return token
  }

  it.each<[string, () => string | undefined | Promise<string>]>([
    ['no token', () => undefined],
    ['a token that is none', () => 'x'],
    ['a token whose signature was altered', () => real().replace(/.{4}$/, (end) => (end === 'AAAA' ? 'BBBB' : 'AAAA'))],
    ['a token without a signature', () => real().replace(/[^.]*$/, '')],
    ['a token that says it needs no signature', () => `${b64({ alg: 'none', typ: 'JWT' })}.${real().split('.')[1]}.`],
    [
      'a token with the claims of another',
      () =>
        real()
          .split('.')
          .with(1, b64({ sub: '1', exp: 9_999_999_999 }))
          .join('.'),
    ],
    ['the token of a session that was ended', () => former('logout')],
    ['the token of a device that was revoked', () => former('revocation')],
  ])('is refused with %s', async (_what, tokenOf) => {
    const token = await tokenOf()
    const answers: [string, number][] = []
    for (const operation of secured) answers.push([operation.id, (await matrix.send(operation, 'live', undefined, token)).status])
    expect(secured.length).toBeGreaterThan(45)
    expect(answers.filter(([, status]) => status !== 401)).toEqual([])
  })
})
