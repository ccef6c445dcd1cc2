import type { PIECES } from './pieces.js'

/** Names of pieces, or why a route has none. */
type Costs = readonly (typeof PIECES)[number]['name'][] | Cheap

/** What is cheap however it is asked. `small`: its body has a few short fields. */
type Cheap = 'no body' | 'small'

const JSON_BODY = ['JSON of 64,000 tokens', 'JSON of 6 MiB in one string', 'CBOR of 50,000 items', 'CBOR of 6 MiB in one byte string']
const PEER_BODY = ['signature of a peer, claimed and checked', 'digest of a body of 6 MiB']
const STATE = ['state of a group, read from a snapshot, 180 members', 'state of a group, read from a snapshot, 2000 members']
const SENT_TREE = [180, 2_000].flatMap((members) => [
  `ratchet tree that is sent, decoded, ${members} members`,
  `ratchet tree that is sent, checked, ${members} members`,
])
const SHOWN_TREE = ['ratchet tree, encoded for joiners, 180 members', 'ratchet tree, encoded for joiners, 2000 members']
const COMMIT = [
  'hash of a Commit of 2 MiB',
  'Commit with a path in a group of 2000 members',
  'Commit with 2000 Adds',
  'Welcome of 2 MiB, decoded',
  'GroupInfo of 64 KiB, decoded',
  'snapshot of a group, written, 180 members',
  'snapshot of a group, written, 2000 members',
  ...STATE,
  ...SENT_TREE,
  ...SHOWN_TREE,
]
const LOG = ['page of a log in JSON']

/** By method and template, as Fastify has them; HEAD is as GET. What is in none of these lists fails the test: decide what it costs. */
export const ROUTES: Readonly<Record<string, Costs>> = {
  'GET /.well-known/jwks.json': 'no body',
  'GET /.well-known/mimi-protocol-directory': 'no body',
  'GET /.well-known/private-token-issuer-directory': 'no body',
  'GET /docs': 'no body',
  'GET /docs/': 'no body',
  'GET /': 'no body',
  'GET /asyncapi.yaml': 'no body',
  'GET /docs/assets/page.css': 'no body',
  'GET /docs/assets/start.js': 'no body',
  'GET /docs/assets/swagger-ui-bundle.js': 'no body',
  'GET /docs/assets/swagger-ui.css': 'no body',
  'GET /docs/errors': 'no body',
  'GET /docs/stream': 'no body',
  'GET /health/live': 'no body',
  'GET /health/ready': 'no body',
  'GET /metrics': 'no body',
  'GET /openapi.json': 'no body',
  'GET /openapi.yaml': 'no body',

  'POST /mimi/v1/deleteRoom/:roomId': PEER_BODY,
  'POST /mimi/v1/directory/:user': PEER_BODY,
  'POST /mimi/v1/groupInfo/:roomId': [...PEER_BODY, ...STATE, ...SHOWN_TREE],
  'POST /mimi/v1/identifierQuery/:domain': PEER_BODY,
  'POST /mimi/v1/issueTokens/:domain': [...PEER_BODY, 'batch of tokens, but for the signatures'],
  'POST /mimi/v1/keyMaterial/:targetUser': PEER_BODY,
  'POST /mimi/v1/log/:roomId': PEER_BODY,
  'POST /mimi/v1/notify/:roomId': [...PEER_BODY, 'framing of a batch of 256 messages, read a second time'],
  'POST /mimi/v1/operation/:roomId': PEER_BODY,
  'POST /mimi/v1/reportAbuse/:roomId': PEER_BODY,
  'POST /mimi/v1/requestConsent/:targetDomain': PEER_BODY,
  'POST /mimi/v1/room/:roomId': PEER_BODY,
  'POST /mimi/v1/sealedKeys/:domain': PEER_BODY,
  'POST /mimi/v1/submitMessage/:roomId': PEER_BODY,
  'POST /mimi/v1/submitSealed/:domain': [...PEER_BODY, 'envelope of a sealed post, opened'],
  'POST /mimi/v1/tokenDirectory/:domain': PEER_BODY,
  'POST /mimi/v1/update/:roomId': [...PEER_BODY, ...COMMIT],
  'POST /mimi/v1/updateConsent/:requesterDomain': PEER_BODY,

  'POST /v1/accounts': JSON_BODY,
  'POST /v1/auth/challenges': JSON_BODY,
  'DELETE /v1/auth/sessions': 'no body',
  'POST /v1/auth/sessions': JSON_BODY,
  'POST /v1/auth/sessions/refresh': JSON_BODY,
  'GET /v1/consents': 'no body',
  'POST /v1/consents': JSON_BODY,
  'DELETE /v1/consents/:user': 'no body',
  'PUT /v1/consents/:user': JSON_BODY,
  'GET /v1/devices': 'no body',
  'POST /v1/devices': JSON_BODY,
  'DELETE /v1/devices/:device': 'no body',
  'POST /v1/devices/self/keys': JSON_BODY,
  'DELETE /v1/devices/self/keys/:id': 'no body',
  'GET /v1/directory': 'no body',
  'GET /v1/events': LOG,
  'POST /v1/events/acks': JSON_BODY,
  'GET /v1/external-senders': 'no body',
  'GET /v1/groups': 'no body',
  'POST /v1/groups': [...JSON_BODY, 'GroupInfo of 64 KiB, decoded', ...SENT_TREE],
  'DELETE /v1/groups/:groupId': 'no body',
  'GET /v1/groups/:groupId': 'no body',
  'POST /v1/groups/:groupId/abuse-reports': JSON_BODY,
  'DELETE /v1/groups/:groupId/admins/:user': 'no body',
  'PUT /v1/groups/:groupId/admins/:user': 'no body',
  'DELETE /v1/groups/:groupId/bans/:user': 'no body',
  'PUT /v1/groups/:groupId/bans/:user': 'no body',
  'POST /v1/groups/:groupId/commits': [...JSON_BODY, ...COMMIT],
  'GET /v1/groups/:groupId/group-info': STATE,
  'POST /v1/groups/:groupId/leave': [...STATE],
  'GET /v1/groups/:groupId/log': LOG,
  'POST /v1/groups/:groupId/messages': JSON_BODY,
  'GET /v1/groups/:groupId/policy': 'no body',
  'PUT /v1/groups/:groupId/policy': JSON_BODY,
  'POST /v1/groups/:groupId/proposals': [...JSON_BODY, ...STATE],
  'POST /v1/groups/:groupId/reports': [...JSON_BODY, ...STATE],
  'POST /v1/groups/:groupId/reset': JSON_BODY,
  'POST /v1/groups/:groupId/sealed-group-info': JSON_BODY,
  'GET /v1/groups/:groupId/sender-keys': 'no body',
  'POST /v1/groups/:groupId/sender-keys': JSON_BODY,
  'GET /v1/groups/:groupId/tree': [...STATE, ...SHOWN_TREE],
  'POST /v1/identifier-queries': JSON_BODY,
  'DELETE /v1/key-packages': 'no body',
  'GET /v1/key-packages': 'no body',
  'POST /v1/key-packages': [...JSON_BODY, 'upload of 100 KeyPackages'],
  'DELETE /v1/key-packages/:ref': 'no body',
  'POST /v1/key-packages/claims': JSON_BODY,
  'GET /v1/me/searchable': 'no body',
  'PUT /v1/me/searchable': JSON_BODY,
  'GET /v1/rooms/:room': 'no body',
  'POST /v1/sealed-relay/:hub': 'small',
  'GET /v1/sealed-relay/:hub/keys': 'no body',
  'POST /v1/sealed/:groupId/:epoch/messages': JSON_BODY,
  'POST /v1/tokens': ['batch of tokens, but for the signatures'],
  'GET /v1/tokens/issuer': 'no body',
}

/** Of a stream's client, by `t`. */
export const FRAMES: Readonly<Record<string, Costs>> = {
  ack: ['frame of 1,024 acknowledgements'],
  'inbox-ack': ['frame of 1,024 inbox acknowledgements'],
  ping: ['frame of a ping'],
  resume: ['frame of 1,024 positions to resume from', 'entries of a frame'],
  token: ['frame of an access token'],
}
