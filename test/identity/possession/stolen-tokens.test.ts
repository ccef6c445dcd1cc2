import { once } from 'node:events'
import { afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { WebSocket } from 'ws'
import { Sessions } from '../../../src/authentication/session/sessions.js'
import { CloseCode, encodeFrame, STREAM_PROTOCOL, type ClientFrame } from '../../../src/protocol/frames.js'
import { addressOf, OPERATIONS } from '../../openapi/operations.js'
import { eventually } from '../../support/eventually.js'
import { BoundDevice, Holder, saidBy, useBoundServer } from './possession-fixture.js'

const fixture = useBoundServer()
let alice: BoundDevice
beforeAll(async () => {
  alice = await BoundDevice.registered(fixture.server.url)
})
afterEach(() => void jest.restoreAllMocks())
const thief = new Holder()

/** How a token is used by who has copied it, and nothing else. */
const USES: readonly (readonly [string, (method: string, url: string) => Record<string, string>])[] = [
  ['as a bearer', () => ({ authorization: `Bearer ${alice.accessToken}` })],
  ['without a proof', () => ({ authorization: `DPoP ${alice.accessToken}` })],
  [
    'with a key of their own',
    (method, url) => ({ authorization: `DPoP ${alice.accessToken}`, dpop: thief.proof(method, url, alice.accessToken) }),
  ],
  [
    'with a proof of the owner for another request',
    () => ({ authorization: `DPoP ${alice.accessToken}`, dpop: alice.proof({}, { path: '/v1/me/elsewhere' }) }),
  ],
]

describe.each(USES)('a stolen access token, %s', (_how, credentials) => {
  it('is refused by every operation that needs a session', async () => {
    const secured = OPERATIONS.filter(({ anonymous }) => !anonymous)
    expect(secured.map(({ path }) => path)).toEqual(expect.arrayContaining(['/v1/devices', '/v1/events', '/v1/tokens', '/v1/groups']))
    for (const operation of secured) {
      const values = Object.fromEntries(operation.parameters.map(({ name, example }) => [name, String(example ?? '')]))
      const url = alice.url + addressOf(operation, values).replace(/[?].*$/, '')
      const answer = await fetch(url, { method: operation.method, headers: credentials(operation.method, url) })
      expect([operation.id, answer.status, ((await answer.json()) as { type: string }).type]).toEqual([
        operation.id,
        401,
        expect.stringMatching(/:dpop-(required|refused)$/),
      ])
    }
  })

  it('opens no stream', async () => {
    const socket = new WebSocket(`${fixture.server.wsUrl}/v1/stream`, [STREAM_PROTOCOL], {
      headers: credentials('GET', `${alice.url}/v1/stream`),
    })
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode: number }]
    expect(response.statusCode).toBe(401)
  })
})

describe('a stream', () => {
  const protocolsOf = (token: string, proof?: string) => [
    STREAM_PROTOCOL,
    `bearer.${token}`,
    ...(proof === undefined ? [] : [`dpop.${proof}`]),
  ]
  const proof = () => alice.proof({}, { path: '/v1/stream' })

  async function opened(protocols: string[], headers: Record<string, string> = {}): Promise<WebSocket | number> {
    const socket = new WebSocket(`${fixture.server.wsUrl}/v1/stream`, protocols, { headers })
    return Promise.race([
      once(socket, 'open').then(() => socket),
      once(socket, 'unexpected-response').then((event) => (event[1] as { statusCode: number }).statusCode),
    ])
  }

  it('of a page, which sends no fields, has the proof in a subprotocol', async () => {
    expect(await opened(protocolsOf(alice.accessToken))).toBe(401)
    expect(await opened(protocolsOf(alice.accessToken, thief.proof('GET', `${alice.url}/v1/stream`, alice.accessToken)))).toBe(401)
    const socket = (await opened(protocolsOf(alice.accessToken, proof()))) as WebSocket
    expect(socket.protocol).toBe(STREAM_PROTOCOL)
    socket.close()
  })

  it.each<[string, () => Partial<ClientFrame>, number | 'open']>([
    ['a right proof', () => ({ dpop: proof() }), 'open'],
    ['no proof', () => ({}), CloseCode.tokenExpired],
    ['a proof of another key', () => ({ dpop: thief.proof('GET', `${alice.url}/v1/stream`, alice.accessToken) }), CloseCode.tokenExpired],
    ['a proof for another request', () => ({ dpop: alice.proof() }), CloseCode.tokenExpired],
  ])('that is renewed with %s', async (_what, more, outcome) => {
    const headers = { authorization: `DPoP ${alice.accessToken}`, dpop: proof() }
    const socket = (await opened([STREAM_PROTOCOL], headers)) as WebSocket
    const closed = once(socket, 'close').then(([code]) => Number(code))
    expect((await alice.refresh()).status).toBe(200)
    const asked = jest.spyOn(fixture.server.app.get(Sessions, { strict: false }), 'authenticate')
    socket.send(encodeFrame({ t: 'token', access_token: alice.accessToken, ...more() } as ClientFrame))
    if (outcome !== 'open') return expect(await closed).toBe(outcome)
    // The check of a token runs beside the frames of the stream.
    const [checked] = await eventually(
      () => asked.mock.results,
      ({ length }) => length > 0,
    )
    expect(await checked?.value).toMatchObject({ client: alice.client })
    expect(socket.readyState).toBe(WebSocket.OPEN)
    socket.close()
  })
})

describe('a stolen refresh token', () => {
  it('is refused without the key, and the owner goes on with it', async () => {
    const { refreshToken } = alice
    expect(saidBy(await alice.refresh(null))).toBe('dpop-required')
    expect(saidBy(await alice.refresh(thief.proof('POST', `${alice.url}/v1/auth/sessions/refresh`, undefined)))).toBe('refresh-refused')
    expect(saidBy(await alice.refresh(alice.holder.proof('POST', `${alice.url}/v1/auth/sessions`, undefined)))).toBe(
      'dpop-refused: request',
    )
    expect(alice.refreshToken).toBe(refreshToken)
    expect(saidBy(await alice.refresh())).toBe('accepted')
    expect(await alice.ask()).toBe('accepted')
  })

  it('that was used already ends no session, as long as the key is not there', async () => {
    const used = alice.refreshToken
    for (let round = 0; round < 2; round++) expect(saidBy(await alice.refresh())).toBe('accepted')
    const proof = thief.proof('POST', `${alice.url}/v1/auth/sessions/refresh`, undefined)
    expect(saidBy(await alice.refresh(proof, used))).toBe('refresh-refused')
    expect(await alice.ask()).toBe('accepted')
    // By the owner it is a sign that somebody copied the store with the key.
    expect(saidBy(await alice.refresh(undefined, used))).toBe('refresh-refused')
    expect(await alice.ask()).toBe('unauthenticated')
    expect((await alice.login()).status).toBe(201)
  })
})
