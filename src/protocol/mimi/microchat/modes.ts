/** `Mode` of a group, by its values on the wire. */
export const MODES = [undefined, 'public', 'private'] as const
