import { ACTIONS, type Action } from './actions.js'
import { ACTORS, cell, type Actor, type Mode, type State } from './table.js'

const HEAD = `# Who may do what in a group

The server decides by these tables, which \`npm run cli -- authority-docs\` writes from its rules (\`src/groups/authority/\`).
\`test/authority/table-public.test.ts\` and \`table-private.test.ts\` try every cell.

\`yes\` says that the caller has the right; a request can still be refused because it is late or not valid. Otherwise a cell names
the [problem type](errors.md) of the refusal. Rights are judged as of the moment at which something is accepted, in the statement that accepts it.

- A **stranger** never had to do with the group, nor had a device of the same user. A stranger that the policy does not let in gets one answer,
  whether the group exists or not. For a deleted group everybody gets 410 \`group-deleted\`.
- A **member** is a device with a leaf in the group; an **admin** is a member whose user is one of the group's admins. Admins look after a group, and
  so after its room, from each of their devices, and also while they are not in the group: those of a group are admins of its successor.
- A Proposal is judged as the Commit that would carry it out, and again with that Commit: by the right of its sender or of the committer.
- "another user" is one who is neither banned nor leaving. Nobody adds a banned user.
`

const BEHIND_MEMBERS = `In a private group members' handshakes are encrypted. The server judges a Commit by its Welcomes (who is added) and by what its sender says
(who is removed, whether it is a ReInit); it cannot see Proposals. Members' clients enforce the policy on what they decrypt.`

/** The text of docs/authority.md. */
export function authorityPage(): string {
  return [
    HEAD,
    '## A public group\n',
    ...halves((columns) => table(columns, actions, 'public', 'open', true)),
    '## A private group\n',
    `${BEHIND_MEMBERS} What differs from a public group:\n`,
    ...halves((columns) => table(columns, differing(columns, 'private', 'open'), 'private', 'open')),
    '## A frozen group\n',
    'A short while after a reset, in both modes: its successor is reserved. A member that reset the group by reports may create it as well. ' +
      'If there is a successor, who undoes the reset has to be an admin of that, too. ' +
      'What differs from a group that takes entries:\n',
    ...halves((columns) => table(columns, differing(columns, 'public', 'frozen'), 'public', 'frozen')),
    '## A group frozen for longer\n',
    'When the time for which the successor is reserved (`SUCCESSOR_GRACE`) has passed, and nobody has created it. What differs from before:\n',
    ...halves((columns) => table(columns, differing(columns, 'public', 'frozen for longer', 'frozen'), 'public', 'frozen for longer')),
    '## A reinitialized group\n',
    'A short while after a ReInit, before there is a successor. What differs from after a reset:\n',
    ...halves((columns) => table(columns, differing(columns, 'public', 'reinitialized', 'frozen'), 'public', 'reinitialized')),
  ].join('\n')
}

const actions = Object.keys(ACTIONS) as Action[]
const actors = Object.keys(ACTORS) as Actor[]

/** Tables of those who are out and of those who are in. */
function halves(write: (columns: readonly Actor[]) => string[]): string[] {
  const inside = (actor: Actor) => ACTORS[actor].member
  return [actors.filter((actor) => !inside(actor)), actors.filter(inside)].flatMap(write)
}

/** What these actors are answered otherwise than in a public group of another state. */
function differing(columns: readonly Actor[], mode: Mode, state: State, from: State = 'open'): Action[] {
  return actions.filter((action) => columns.some((actor) => cell(action, actor, mode, state) !== cell(action, actor, 'public', from)))
}

/** @param short the answer that most actions get stands once, in the last row */
function table(columns: readonly Actor[], rows: readonly Action[], mode: Mode, state: State, short = false): string[] {
  if (rows.length === 0) return []
  const byAnswer = Map.groupBy(rows, (action) => columns.map((actor) => cell(action, actor, mode, state)).join(' | '))
  const [usual] = short ? [...byAnswer].sort(([, one], [, other]) => other.length - one.length) : []
  const row = (title: string, cells: string) => `| ${title} | ${cells} |`
  const named = [...byAnswer]
    .filter(([cells]) => cells !== usual?.[0])
    .flatMap(([cells, of]) => of.map((action) => row(ACTIONS[action].title, cells)))
  return [
    row('', columns.join(' | ')),
    `| --- |${' --- |'.repeat(columns.length)}`,
    ...named,
    ...(usual ? [row('Everything else', usual[0])] : []),
    '',
  ]
}
