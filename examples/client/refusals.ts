import { ServerProblem } from './http.js'

type Words = string | ((document: ServerProblem['document']) => string)

const TRY_AGAIN = 'The group has changed in this moment. Please try again.'
const FAULTY_APP = 'This app has made something that the group cannot take. Please update it, or tell its makers.'
const ANOTHER_PROVIDER = 'The provider of this group cannot be reached or does not help just now. Please try again later.'

/** What a user is shown of a refusal, by the kind of problem (docs/errors.md). What a client settles by itself is here for the case that it cannot. */
const WORDS: Readonly<Record<string, Words>> = {
  policy: ({ detail }) => detail ?? 'The rules of this group do not allow that.',
  forbidden: ({ detail }) => detail ?? 'You may not do that here.',
  'not-found': 'There is no such group, person or room, or it is not open to you. Check the invitation or the code.',
  'not-a-member': 'You are not in this group, or not any more.',
  'group-deleted': 'This group was deleted, and all its messages with it.',
  'group-frozen': ({ successor }) =>
    successor
      ? 'This group has ended. It goes on in the group that has taken its place.'
      : 'This group has ended. Its admins can begin the one that takes its place.',
  'group-exists': 'That name for a group is taken. Please try again with another one.',
  'room-taken': 'A room of that name exists. Ask somebody in it to invite you, or choose another name.',
  'successor-reserved': ({ reserved_until: until }) =>
    `An admin is to begin the new group.${typeof until === 'number' ? ` From ${new Date(until * 1_000).toLocaleTimeString()} on you can do it yourself.` : ''}`,
  'successor-taken': 'Somebody has begun the new group already. You will be invited to it.',
  'no-predecessor': 'The group that you want to replace has not ended, or you were not in it.',
  'reset-final': 'It is too late to take that back. The room has moved on.',
  'last-admin': 'The group needs an admin. Make somebody else one first.',
  'policy-changed': 'Somebody else has changed the rules of this group in this moment. Look at them, and decide again.',
  'too-many-proposals': 'Too many changes wait in this group. Please try again in a moment.',
  'storage-full': ({ detail }) => `There is no room left. ${detail ?? ''}`.trimEnd(),
  'rate-limited': 'That was too often. Please wait a little.',
  'too-large': 'That is too large to send.',
  'stale-epoch': TRY_AGAIN,
  'proposals-pending': TRY_AGAIN,
  'proposals-void': TRY_AGAIN,
  'commit-required': TRY_AGAIN,
  'epoch-ahead': 'This server does not know the newest state of the group. Check that it is the right one.',
  'incarnation-changed': 'The server was restored from a backup, and some messages are lost. This device has to join the group again.',
  'not-delivered': 'You have blocked this group, or not accepted its invitation yet.',
  resync: 'This device was away for too long. It has to join the group again.',
  'no-consent': 'This person has not agreed to be added by you. You can ask.',
  'invalid-commit': FAULTY_APP,
  undecodable: FAULTY_APP,
  'invalid-request': FAULTY_APP,
  'unsupported-media-type': FAULTY_APP,
  'possession-unproved': FAULTY_APP,
  'sender-key-taken': FAULTY_APP,
  'device-revoked': 'This device was removed from your account.',
  unauthenticated: 'Please sign in again.',
  'token-expired': 'Please sign in again.',
  unavailable: 'The server is busy. Please try again in a moment.',
  timeout: 'The connection was too slow. Please try again.',
  internal: 'Something went wrong at the server. Please try again later.',
  'hub-unreachable': ANOTHER_PROVIDER,
  'hub-refused': ANOTHER_PROVIDER,
  'hub-bad-response': ANOTHER_PROVIDER,
  'unsupported-by-hub': 'The provider of this group does not offer that.',
  'not-the-hub': 'This server does not look after that room. Check the invitation.',
  'wrong-domain': 'That is the name of something at another provider.',
  'provider-denied': 'Your provider, or the other one, does not work together with it.',
}

/** A sentence for the user about something that failed; undefined if the server said nothing that a user could understand or change. */
export function refusalInWords(error: unknown): string | undefined {
  if (!(error instanceof ServerProblem)) return undefined
  const words = WORDS[error.kind]
  return typeof words === 'function' ? words(error.document) : words
}
