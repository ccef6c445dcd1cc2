/** A node of a plan in PostgreSQL's JSON form; only what the rules look at. */
export interface PlanNode {
  'Node Type': string
  'Relation Name'?: string
  'Index Name'?: string
  'Index Cond'?: string
  Filter?: string
  'Actual Rows'?: number
  'Actual Loops'?: number
  'Rows Removed by Filter'?: number
  'Shared Hit Blocks'?: number
  'Shared Read Blocks'?: number
  Plans?: PlanNode[]
}

/** Tables that stay small whatever the number of users, groups and messages: reading them whole is cheaper than their index. */
const SMALL = new Set([
  'deployment',
  'external_sender_key',
  'issuer_key',
  'provider_key',
  'provider_directory',
  'token_signing_key',
  'x509_authority',
  // As many as there are providers that this one has met.
  'peer',
  'peer_key',
  'peer_past_key',
  // Devices on their way out, until the next Commit.
  'pending_removal',
  // Codes of the operator; a job removes what is spent or over.
  'invite',
])

/** The columns by which an index leads straight to what a statement wants; a condition on `gid` alone walks a whole group. */
const SELECTIVE: Readonly<Record<string, RegExp>> = {
  log: /\b(seq|hash|epoch)\b/,
  member: /\bdevice_id\b|\b(?:until_seq|read_until) [<>]|\bfrom_seq - 1\) [<>]/,
}

/** Indexes of few rows: of those that are in a group now, however many have been; and of what operators and users revoked. */
const BOUNDED_INDEXES = new Set(['member_present', 'account_disabled', 'device_revoked'])

/** What a plan reads that grows with the service, in words: each way once, partitions under their table's name. */
export function findWalks(root: PlanNode): string[] {
  const found = new Set<string>()
  visit(root, (node, parents) => {
    const walk = describeWalk(node)
    if (walk !== undefined && !isCutByLimit(node, parents)) found.add(walk)
  })
  return [...found].sort()
}

/** Rows come in order and every one counts, so that a LIMIT ends the walk. */
function isCutByLimit(node: PlanNode, parents: readonly PlanNode[]): boolean {
  const above = parents.findLast((parent) => !parent['Node Type'].endsWith('Append'))
  return node.Filter === undefined && above?.['Node Type'] === 'Limit'
}

function describeWalk(node: PlanNode): string | undefined {
  const table = tableOf(node['Relation Name'])
  const type = node['Node Type']
  if (table !== undefined && SMALL.has(table)) return undefined
  if (type === 'Seq Scan') return `all of ${table}`
  if (!type.endsWith('Index Scan') && type !== 'Index Only Scan') return undefined
  const index = tableOf(node['Index Name']) ?? ''
  if (BOUNDED_INDEXES.has(index)) return undefined
  const condition = node['Index Cond']
  if (condition === undefined) return `all of ${table ?? index}, by its index`
  // A bitmap's index does not say its table, but is named after it.
  const name = table ?? Object.keys(SELECTIVE).find((one) => index.startsWith(`${one}_`))
  const selective = name === undefined ? undefined : SELECTIVE[name]
  return selective && !selective.test(condition) ? `${name} of a whole group` : undefined
}

/** `log_7` and `log_7_gid_hash_idx` are parts of `log`. */
function tableOf(name: string | undefined): string | undefined {
  return name?.replace(/^(log|federation_nonce|spent_token)_\d+/, '$1')
}

/** @param look is given the nodes above, the nearest last */
export function visit(
  node: PlanNode,
  look: (node: PlanNode, parents: readonly PlanNode[]) => void,
  parents: readonly PlanNode[] = [],
): void {
  look(node, parents)
  for (const child of node.Plans ?? []) visit(child, look, [...parents, node])
}
