import { leaf, memberAt, type Member, type PublicGroupState } from '../../protocol/public-group/state.js'

export function memberOf(state: PublicGroupState, leafIndex: number): Member | undefined {
  const node = leaf(state, leafIndex)
  return node && memberAt(leafIndex, node)
}
