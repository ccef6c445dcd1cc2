/** Something that was found about a hub, without a file. */
export const FINDING = {
  hub: 'b.example',
  kind: 'two-histories',
  groupId: Buffer.from('group'),
  roomId: 'mimi://b.example/r/club',
  incarnation: 1,
  seq: 4n,
  why: 'it has signed another history, which differs at seq 4',
  document: undefined,
  stops: true,
} as const
