import { z } from 'zod'
import type { ProblemTypes } from '../platform/http/problem-types.js'
import type { SignatureProblem } from './inbound/inbound.problems.js'
import { TROUBLE_REASONS } from './peer-problems.js'

const KEEPS_AGAIN = 'Send the same bytes again after `Retry-After`: what was accepted is answered as accepted.'
const NO_KEY_PACKAGES = 'The provider of the user gives no KeyPackages of it'
const FOR_PEERS = 'Correct the signing of requests (docs/federation-profile.md).'

/** Members of every problem that is another provider's doing. */
const TROUBLE = {
  provider: z.string().optional().meta({ description: 'Domain of the provider that was asked' }),
  reason: z
    .enum(TROUBLE_REASONS)
    .optional()
    .meta({
      description:
        'denied-here, denied-there: this server does not federate with that provider, or that one not with this. clock-off: `clock_offset` says by how much. ' +
        'refused, failing: it has signed an answer with a status of 4xx, or 5xx. unsigned: what came is not signed by it. unanswered: nothing came. ' +
        'The others: it cannot be asked, by what its directory says',
    }),
  problem: z.string().optional().meta({ description: 'Type of that provider’s own problem, without `urn:microchat:problem:`' }),
  clock_offset: z.int().optional().meta({
    description: 'Seconds by which that provider’s clock is ahead of this server’s, negative where it is behind',
  }),
} as const

/** What clients are to do where another provider is involved. */
export const FEDERATION_PROBLEMS: ProblemTypes = {
  'hub-unreachable': {
    status: 503,
    when: 'The group’s hub does not answer; whether it took the submission is not known.',
    client: KEEPS_AGAIN,
    retry: 'wait',
    members: TROUBLE,
  },
  'hub-refused': {
    status: 502,
    when: 'The group’s hub refuses requests of this server, or its answers do not count.',
    client: 'Tell the operator.',
    retry: 'no',
    members: TROUBLE,
  },
  'hub-bad-response': {
    status: 502,
    when: 'The group’s hub gave an answer that cannot be understood.',
    client: 'Tell the operator.',
    retry: 'no',
  },
  'unsupported-by-hub': {
    status: 403,
    when: 'The group’s hub speaks nothing but the MIMI draft, which has no such call (docs/federation-draft-06.md).',
    client: 'Do without it in this group.',
    retry: 'no',
  },
  'provider-denied': {
    status: 403,
    when: 'This server does not federate, or not with that provider.',
    client: 'Tell the user; only the operator can change it.',
    retry: 'no',
    members: TROUBLE,
  },
  'not-the-hub': {
    status: 404,
    when: 'The group is not of the room that it is asked for in.',
    client: 'Look the room up again.',
    retry: 'no',
  },
  'peer-unreachable': {
    status: 503,
    when: 'The other provider does not answer.',
    client: 'Send the same request after `Retry-After`.',
    retry: 'wait',
    members: TROUBLE,
  },
  'peer-refused': {
    status: 502,
    when: 'The other provider refuses this server’s request, or its answers do not count.',
    client: 'Tell the operator.',
    retry: 'no',
    members: TROUBLE,
  },
  'peer-bad-response': {
    status: 502,
    when: 'The other provider gave an answer that cannot be understood.',
    client: 'Tell the operator.',
    retry: 'no',
  },
  'request-stale': {
    status: 422,
    when: 'A `key_material_request` was made more than five minutes ago by this server’s clock, or is four minutes ahead of it.',
    client: 'Sign it again, with a new nonce and by the time in `server_time`.',
    retry: 'redo',
    members: { server_time: z.int().meta({ description: 'Unix time of this server (seconds)' }) },
  },
  'too-many-consents': {
    status: 409,
    when: 'This user has made as many decisions, or has as many requests open, as are kept.',
    client: 'Take a request back first.',
    retry: 'redo',
  },
  'identifier-query-refused': {
    status: 403,
    when: 'The provider that was asked, possibly this one, does not answer such queries.',
    client: 'Ask for the whole URI instead.',
    retry: 'no',
    members: { code: z.string().meta({ description: 'The response code of MIMI’s identifier query' }) },
  },
  'user-unknown': { status: 404, when: `${NO_KEY_PACKAGES}: it knows no such user.`, client: 'Check the user URI.', retry: 'no' },
  'key-material-unavailable': {
    status: 503,
    when: `${NO_KEY_PACKAGES} now: it does not answer the hub of the room, or not in a form that can be understood.`,
    client: 'Send the same request after `Retry-After`.',
    retry: 'wait',
    members: { provider: z.string().meta({ description: 'Domain of the user’s provider' }) },
  },
  'providers-apart': {
    status: 403,
    when: `${NO_KEY_PACKAGES}: two of the three providers of the requester, the room and the user do not federate with each other.`,
    client: 'Tell the user; only the operator of `by` can change it.',
    retry: 'no',
    members: {
      by: z.string().meta({ description: 'Domain of the provider that refuses' }),
      provider: z.string().meta({ description: 'Domain of the provider that is refused' }),
    },
  },
  'no-consent-for-this-room': {
    status: 403,
    when: `${NO_KEY_PACKAGES} for this room: the user has not consented.`,
    client: 'Ask for consent (`POST /v1/consents`) with `room`.',
    retry: 'redo',
  },
  'incompatible-protocol': {
    status: 403,
    when: `${NO_KEY_PACKAGES}: it speaks another protocol.`,
    client: 'Do not repeat it.',
    retry: 'no',
  },
  'user-deleted': { status: 404, when: `${NO_KEY_PACKAGES}: the user was deleted.`, client: 'Forget the user.', retry: 'no' },
}

const SIGNATURE_PROBLEMS: Readonly<Record<SignatureProblem, string>> = {
  'signature-missing': 'The request is not signed.',
  'signature-malformed': 'The signature fields cannot be read.',
  'component-not-covered': 'The signature does not cover all components that it has to.',
  'key-id-malformed': 'The key id does not have the form of the profile.',
  'from-mismatch': 'From is not of the provider that the key is of.',
  'algorithm-unsupported': 'The signature is of an algorithm that is not used here.',
  'signature-too-long-lived': 'The signature is valid for longer than the profile allows.',
  'nonce-malformed': 'The nonce does not have the form of the profile.',
  'target-mismatch': 'The request is for another provider.',
  'signature-stale': 'The signature is not of now.',
  'content-digest-missing': 'Content-Digest is missing, or has no known algorithm.',
  'content-digest-mismatch': 'Content-Digest is not that of the body.',
  'key-unknown': 'The provider’s directory has no such key.',
  'signature-invalid': 'The signature does not verify.',
  'nonce-replayed': 'The nonce was used before.',
}

/** Answers to other providers, which clients never see. */
export const PEER_PROBLEMS: ProblemTypes = {
  ...Object.fromEntries(
    Object.entries(SIGNATURE_PROBLEMS).map(([type, when]) => [type, { status: 401, when, client: FOR_PEERS, retry: 'redo' } as const]),
  ),
  'certificate-refused': {
    status: 403,
    when: 'The connection does not show by a certificate that the request is of the provider in From (peers of the draft).',
    client: 'Show the certificate that the two operators have agreed on (docs/federation-draft-06.md).',
    retry: 'redo',
  },
  'peer-denied': { status: 403, when: 'This server does not federate with that provider.', client: 'Ask its operator.', retry: 'no' },
  'profile-unsupported': {
    status: 403,
    when: 'The provider’s directory names none of the profiles that are spoken here.',
    client: 'Publish a profile of the federation page.',
    retry: 'no',
  },
  'foreign-domain': {
    status: 403,
    when: 'A user, client or room in the request is not of the provider that sent it.',
    client: 'Speak for own users only.',
    retry: 'no',
  },
  'client-unknown': {
    status: 403,
    when: 'The provider’s directory has no such device, or it was revoked.',
    client: 'Publish the device first.',
    retry: 'no',
  },
  'protocol-unsupported': { status: 422, when: 'The body is of a protocol other than MLS 1.0.', client: 'Speak MLS 1.0.', retry: 'no' },
  'batch-refused': {
    status: 422,
    when: 'The entries of a batch do not fit the log that it names.',
    client: 'Check what is pushed; the follower asks for the log itself.',
    retry: 'no',
  },
  'roster-refused': {
    status: 422,
    when: 'The roster names joins that nothing in the batch shows.',
    client: 'Check what is pushed.',
    retry: 'no',
  },
  'held-back': {
    status: 429,
    when: 'As much of this group, of its hub, or for one user is kept here as may be now; nothing of the batch was stored.',
    client: 'Push the same entries after `Retry-After`, in smaller batches if they were many; push other groups meanwhile.',
    retry: 'wait',
  },
  'home-elsewhere': {
    status: 409,
    when: 'The group, or the room, is known here as one of another provider.',
    client: 'Stop pushing it.',
    retry: 'no',
  },
}
