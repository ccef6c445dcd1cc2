import { PERSONAL_TABLES } from '../../src/accounts/personal/personal-tables.js'
import { deleteExpiredResults, FirstResults } from '../../src/federation/inbound/first-results.js'
import { Nonces } from '../../src/federation/inbound/nonces.js'
import type { Sql } from '../../src/platform/postgres/sql.js'
import { Redemption } from '../../src/tokens/redemption.js'

/** Stands for any value: an array of one, an object with every property, 1n as a number and 'x' as a string. */
export function anything(): unknown {
  return new Proxy({}, HANDLER)
}

const HANDLER: ProxyHandler<object> = {
  get(_, key) {
    if (key === 'then') return undefined
    if (key === Symbol.toPrimitive) return (hint: string) => (hint === 'string' ? 'x' : 1n)
    if (key === Symbol.iterator) return () => [anything()][Symbol.iterator]()
    if (key === 'length') return 1
    if (key === 'toString') return () => 'x'
    if (key === 'valueOf') return () => 1n
    const method: unknown = Reflect.get(Array.prototype, key)
    if (typeof method === 'function') return (...given: unknown[]): unknown => method.apply([anything()], given) as unknown
    return anything()
  },
}

const BYTES = Buffer.alloc(32)
const message = { gid: 1n, deviceId: 1n, epoch: 1n, hash: BYTES, bytes: BYTES }
const ages = { now: null, application: 1, handshake: 1, idempotency: 1 }
const keyPackage = {
  cipherSuite: 1,
  lastResort: false,
  expiresAt: 0,
  ref: BYTES,
  signatureKey: BYTES,
  extensions: [],
  proposals: [],
  credentials: [],
  bytes: BYTES,
  certificate: undefined,
}
const leaf = { client: 'x', publicKey: BYTES, extension: undefined }
const none = {
  usedRefs: [],
  freshRefs: [],
  freshDevices: null,
  added: [],
  removed: [],
  welcomes: [],
  certificates: [],
  followups: [],
  unsigned: [],
}
const copy = { identity: BYTES, identities: 1, entries: [BYTES], head: BYTES, ends: [null] }
const owner = { accountId: 1n, user: 'x', deviceIds: [1n] }
const scope = { target: 'x', requester: 'x', room: '' }

/** `<file>:<function>` → the arguments of each call, after the connection, where arbitrary ones do not do or do not reach every statement. */
export const ARGUMENTS: Readonly<Record<string, readonly unknown[][]>> = {
  'append:appendMessages': [
    [[message], 1],
    [[{ ...message, deviceId: null, sealed: { senderKey: BYTES, issuerKey: 1, nonce: BYTES } }], 1],
  ],
  'retention:readFloorMoves': [[[1n], ages]],
  'retention:readRetirable': [[[1n], ages]],
  'peers:noteClock': [['x', 95]],
  'cursors:postponeCursor': [
    [
      { domain: 'x', gid: 1n },
      { delayMs: 1, why: 'x', stopped: false },
    ],
  ],
  'cursors:advanceCursor': [[{ domain: 'x', gid: 1n }, 1n, 1, 1]],
  'foreign-devices:recordForeignUser': [
    [
      'x',
      { devices: [{ client: 'x', revokedAt: null, keys: [{ publicKey: BYTES, validFrom: 0, validUntil: null }] }], wanted: new Set(['x']) },
      { devicesOfUser: 10, usersOfPeer: 10, devicesOfPeer: 10 },
      { claimElsewhere: () => Promise.resolve() },
    ],
  ],
  'replica-storage:judgeReplicaBytes': [
    [{ gid: 1n, hub: 'x', joining: 1n, bytes: 1, entries: 1, isFirst: false, welcomed: [1n] }, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]],
  ],
  'cursors:holdCursor': [[{ domain: 'x', gid: 1n }, 1, 'x']],
  'foreign-device-lists:renewCopy': [['x', copy, true]],
  'foreign-device-lists:storeCopy': [['x', copy, { wanted: true, mostBytes: 1 }]],
  'erasures:postponeErasure': [['x', { erasureId: BYTES, failures: 1 }, 1, 'x']],
  'deletions:postponeDeletion': [['x', { groupId: BYTES, failures: 1 }, 1, 'x']],
  'submissions:submitCommit': [[none]],
  'groups:createGroup': [[none]],
  'roster:devicesOfLeaves': [[1n, [leaf]]],
  'leaf-certificates:listedCertificates': [[1n, [leaf], true]],
  'claims:routeRefs': [[[BYTES]]],
  'disclosure:isRelated': [
    ['x', 'x', undefined],
    ['x', 'x', { groupId: BYTES, roomId: 'x', places: [{ seq: 1n, chain: BYTES }] }],
  ],
  'disclosure:noteIntroductions': [[['x'], ['x']]],
  'key-packages:deleteKeyPackages': [[1n, BYTES]],
  'key-packages:storeKeyPackages': [[1n, [keyPackage], { max: 1, low: 1 }]],
  'replica-members:applyMemberChanges': [[1n, [{ deviceId: 1n, seq: 1n, epoch: 1n, change: 'joined', ended: 'left' }]]],
  'consents:noteRequest': [
    [scope, { by: 'provider', most: 1, elsewhere: false }],
    [scope, { by: 'requester', most: 1, elsewhere: true }],
  ],
  'peer-directories:storeDirectory': [
    [
      {
        domain: 'x',
        endpoints: {},
        profiles: [],
        features: [],
        authorities: [BYTES],
        issuedAt: 0,
        expiresAt: 0,
        payloadHash: BYTES,
        keys: [{ keyId: 'x', publicKey: BYTES, notBefore: 0, notAfter: null }],
        alarm: null,
      },
    ],
  ],
  'kept-directories:keepDirectory': [[{}, { domain: 'x', issued_at: 0, expires_at: 0, keys: [{ kid: 'x', x: 'x', nbf: 0 }] }]],
  'evidence:isEvidenceOpen': [[{ hub: 'x', groupId: BYTES, kind: 'two-modes', incarnation: 1, seq: 1n }]],
  'evidence:keepEvidence': [
    [
      {
        hub: 'x',
        kind: 'two-modes',
        groupId: BYTES,
        roomId: 'x',
        incarnation: 1,
        seq: 1n,
        why: 'x',
        document: undefined,
        stops: true,
      },
    ],
  ],
  'evidence:stopReplica': [[1n, 'rewritten']],
  'own-directory:storeOwnDirectory': [[{ hash: BYTES, issued: 1, signed: { payload: '', signatures: [] } }]],
  'personal-data:readSection': PERSONAL_TABLES.flatMap((table) =>
    'section' in table.exported ? [[table, table.exported, owner, { after: table.exported.key.map(() => '1'), limit: 1 }]] : [],
  ),
  'personal-data:eraseRows': PERSONAL_TABLES.map((table) => [table, owner, 'x', 1]),
  'searchable:setSearchable': [
    [1n, true],
    [1n, false],
  ],
}

const noJobs = { every: () => undefined }
const peer = { domain: 'x' }

/** File in src/ → what sends its statements, of files that are not repositories. */
export const OTHERS: Readonly<Record<string, (sql: Sql) => Promise<unknown>>> = {
  'federation/inbound/nonces.ts': async (sql) => {
    const pool = Object.assign(sql, { connect: () => Promise.resolve(sql), release: () => undefined })
    const nonces = new Nonces(pool as never, { FEDERATION: 'open' } as never, noJobs as never, { mac: () => BYTES } as never)
    await nonces.take('x', 'x', 1)
    await nonces.forget(new Date())
  },
  'federation/inbound/first-results.ts': async (sql) => {
    const results = new FirstResults(sql as never)
    await deleteExpiredResults(sql)
    await results.once(peer, 'x', BYTES, () => Promise.resolve(BYTES))
    await results['earlier'](['x', 'x', BYTES])
    await results.once(peer, 'x', BYTES, () => Promise.reject(new Error('failed'))).catch(() => undefined)
  },
  'tokens/redemption.ts': (sql) => new Redemption(sql as never, { DOMAIN: 'x' }, {} as never).spend({ issuerKey: 1, nonce: BYTES }),
}
