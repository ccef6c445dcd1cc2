import { beforeAll, describe, expect, it } from '@jest/globals'
import { ServerProblem } from '../../examples/client/http.js'
import { ACTIONS, type Action } from '../../src/groups/authority/actions.js'
import { ACTORS, CHOICES, type Actor, type Choices, type Mode, type State } from '../../src/groups/authority/table.js'
import { useStage, type Stage } from '../groups/group-fixture.js'
import { pageSays } from './page-fixture.js'
import { castPeople, Scene, type People } from './scene-fixture.js'
import { TRIES } from './table-fixture.js'

const actions = Object.keys(ACTIONS) as Action[]
const actors = Object.keys(ACTORS) as Actor[]
const outside = actors.filter((actor) => !ACTORS[actor].member)
const inside = actors.filter((actor) => ACTORS[actor].member)
const STOPPED = ['frozen', 'frozen for longer', 'reinitialized'] as const satisfies State[]
const LAX: Choices = { external_join: 'open', add_members: 'members', remove_members: 'members' }
const STRICT: Choices = { external_join: 'none', add_members: 'admins', remove_members: 'admins' }

/** The right is there, and yet it cannot be: a client that is in cannot be added. */
const NOT_POSSIBLE = new Map<string, string>([
  ['propose-join member', 'invalid-commit: leaf-node-signature-key'],
  ['propose-join admin', 'invalid-commit: leaf-node-signature-key'],
])
/** After any other action that succeeds the group is not what the next one is to be tried in. */
const LEAVES_ALL_AS_IT_WAS: readonly Action[] = [
  'publish-sender-key',
  'post-message',
  'choose-delivery',
  'report',
  'create-branch',
  'change-policy',
  'make-admin',
  'dismiss-admin',
  'ban',
  'unban',
]

/** The Remove of a leaver waits in a public group, and the Add may come with it; in a private group the leaf is still there. */
function notPossible(action: Action, actor: Actor, mode: Mode, state: State): string | undefined {
  // A ReInit leads to an epoch that nobody joins, and in a private group its tree is not kept.
  if (action === 'read-group-info' && state === 'reinitialized' && mode === 'private') return 'not-found'
  return NOT_POSSIBLE.get(`${action} ${actor === 'member that is leaving' && mode === 'private' ? 'member' : actor}`)
}

const expected = (action: Action, actor: Actor, mode: Mode, state: State, choices: Choices) => {
  const said = pageSays(ACTIONS[action].title, actor, mode, state, choices)
  return said === 'yes' ? (notPossible(action, actor, mode, state) ?? said) : said
}

async function answerOf(scene: Scene, action: Action, actor: Actor): Promise<string> {
  try {
    await TRIES[action](scene, actor, scene.people.actors[actor])
    return 'yes'
  } catch (error) {
    if (error instanceof ServerProblem)
      return error.kind === 'invalid-commit' ? `${error.kind}: ${String(error.document['rule'])}` : error.kind
    throw new Error(`${action} by ${actor} could not be tried`, { cause: error })
  }
}

interface On {
  stage: Stage
  people: People
}

/** A scene that nothing has changed yet. */
interface Held {
  scene?: Scene | undefined
}

/** Every action by one actor: what was answered, and what the page says. */
async function column({ stage, people }: On, held: Held, actor: Actor, mode: Mode, state: State, choices: Choices) {
  const [asked, said]: [Record<string, string>, Record<string, string>] = [{}, {}]
  for (const action of actions) {
    said[action] = expected(action, actor, mode, state, choices)
    held.scene ??= await Scene.make(stage, people, mode, state, choices, actor)
    await held.scene.ready(actor)
    asked[action] = await answerOf(held.scene, action, actor)
    if (asked[action] === 'yes' && !action.startsWith('read') && !LEAVES_ALL_AS_IT_WAS.includes(action)) await over(held)
  }
  return [asked, said] as const
}

async function over(held: Held): Promise<void> {
  await held.scene?.end()
  held.scene = undefined
}

async function expectColumns(on: On, who: readonly Actor[], mode: Mode, state: State, choices: Choices): Promise<void> {
  const shared: Held = {}
  for (const actor of who) {
    const held: Held = actor === 'member that is leaving' ? {} : shared
    const [asked, said] = await column(on, held, actor, mode, state, choices)
    expect({ actor, choices, ...asked }).toEqual({ actor, choices, ...said })
    if (held !== shared) await over(held)
  }
  await over(shared)
}

/** Tests of every cell of docs/authority.md for groups of one mode. */
export function testEveryCell(mode: Mode): void {
  // One admin sets all scenes.
  const stage = useStage({ LIMITS: 'group-administration=100000,leaves=100000,commit-reports=100000,joiners=100000' })
  let people: People
  beforeAll(async () => {
    people = await castPeople(stage)
  })

  describe(`in a ${mode} group`, () => {
    it.each(inside)('%s gets what the page says', async (actor) => {
      for (const choices of [LAX, STRICT]) await expectColumns({ stage, people }, [actor], mode, 'open', choices)
    })

    it.each(CHOICES.external_join)('those who are out get what the page says: %s', async (external_join) => {
      await expectColumns({ stage, people }, outside, mode, 'open', { ...LAX, external_join })
    })

    it.each(STOPPED.flatMap((state) => [LAX, STRICT].map((choices) => [state, choices] as const)))(
      'that is %s everybody gets what the page says: %o',
      async (state, choices) => {
        // A ReInit stands alone: it comes after the Remove of who leaves.
        const who = actors.filter((actor) => state !== 'reinitialized' || actor !== 'member that is leaving')
        await expectColumns({ stage, people }, who, mode, state, choices)
      },
    )
  })
}
