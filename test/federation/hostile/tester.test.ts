import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { Check } from '../../../src/app/federation-check/check.js'
import { REFUSALS } from '../../../src/app/federation-check/tester/refusals.js'
import { ROTATION_CHECKS } from '../../../src/app/federation-check/tester/rotations.js'
import { settingsOf, testProvider } from '../../../src/app/federation-check/tester/run-tester.js'
import { DirectoryTimes } from '../../../src/federation/peers/directory-times.js'
import { freePort } from '../../support/free-port.js'
import { GENEROUS } from '../../support/generous.js'
import { startServer } from '../../support/server.js'
import { CarelessProvider, type Omission } from './peer/careless-provider.js'
import { documentOf, signedDirectory, type Said } from './peer/directory.js'
import type { Answer } from './peer/hostile-provider.js'

let careless: CarelessProvider
let port = 0
beforeAll(async () => {
  port = await freePort()
  careless = new CarelessProvider('careless.example', { domain: 'tester.example', url: `http://127.0.0.1:${port}` })
  await careless.peer.listen()
})
afterAll(() => careless.peer.close())

const test = (domain: string, url: string) =>
  testProvider(
    settingsOf([
      domain,
      '--as',
      'tester.example',
      '--listen',
      `127.0.0.1:${port}`,
      '--url',
      url,
      '--allow',
      '127.0.0.0/8',
      '--rotations',
      '--wait',
      '0',
    ]),
  )
const named = (checks: readonly Check[], verdict: Check['verdict']) =>
  checks.filter((one) => one.verdict === verdict).map(({ name }) => name)

const ALL = [...REFUSALS.map(({ name }) => name), 'refuses-replay', ...ROTATION_CHECKS]
/** Checks that look at the same omission. */
const WITH: Readonly<Record<string, readonly string[]>> = {
  'refuses-bad-signature': [
    'refuses-bad-signature',
    'refuses-other-authority',
    'refuses-other-path',
    'refuses-other-method',
    'refuses-other-query',
  ],
  'refuses-unknown-key': ['refuses-unknown-key', ...ROTATION_CHECKS.slice(1)],
}

describe('the federation tester', () => {
  it('finds nothing wrong with this server', async () => {
    const server = await startServer({
      ...GENEROUS,
      DOMAIN: 'a.example',
      FEDERATION: 'open',
      FEDERATION_PEER_URLS: `tester.example=http://127.0.0.1:${port}`,
      FEDERATION_ALLOWED_RANGES: '127.0.0.0/8',
      FEDERATION_UNVERIFIED_PER_MINUTE: '1000',
    })
    try {
      Object.assign(server.app.get(DirectoryTimes), { memory: 0, again: -1 })
      const checks = await test('a.example', server.url)
      expect(checks.filter(({ verdict }) => verdict !== 'pass')).toEqual([expect.objectContaining({ name: 'tls', verdict: 'skipped' })])
      expect(checks.map(({ name }) => name)).toEqual(expect.arrayContaining(ALL))
    } finally {
      await server.close()
    }
  })

  it('finds nothing wrong with another one that keeps to the page', async () => {
    careless.begin(undefined)
    const checks = await test('careless.example', careless.peer.url)
    expect(checks.filter(({ verdict }) => verdict === 'fail' || verdict === 'warning')).toEqual([])
  })

  it.each(ALL)('names what is wrong with a server that does not do this: %s', async (name) => {
    careless.begin(name as Omission)
    const failed = named(await test('careless.example', careless.peer.url), 'fail')
    if (ROTATION_CHECKS.some((one) => one === name)) expect(failed).toContain(name)
    else expect(failed).toEqual(WITH[name] ?? [name])
  })
})

const said = (more: Partial<Said>) => () => {
  const { url, key, domain } = careless.peer
  return documentOf(signedDirectory({ domain, url, keys: [key], ...more }), url)
}

describe('what the tester and `peers test` share', () => {
  it.each<[string, () => string | undefined]>([
    ['directory-form', () => '<html>'],
    ['directory-domain', said({ domain: 'other.example' })],
    ['directory-possession', said({ header: { alg: 'none' } })],
    ['directory-times', said({ issued: 1 })],
    ['profile', said({ more: { profiles: ['other'] } })],
    ['endpoints', said({ more: { endpoints: { identifierQuery: 'http://127.0.0.1/{+domain}' } } })],
    [
      'directory-outside',
      () =>
        documentOf(signedDirectory({ domain: careless.domain, url: careless.peer.url, keys: [careless.peer.key] }), 'http://127.0.0.1:1'),
    ],
  ])('names a directory that fails %s', async (name, shown) => {
    careless.begin(undefined)
    const own = careless.peer.showing
    careless.peer.showing = shown
    try {
      expect(named(await test('careless.example', careless.peer.url), 'fail')).toContain(name)
    } finally {
      careless.peer.showing = own
    }
  })

  it.each<[string, Partial<Answer>]>([
    ['answer-signed', { headers: { signature: 'mimi=:AAAA:' } }],
    ['answer-target', { target: 'other.example' }],
    ['answer-digest', { sent: Buffer.of(1) }],
    ['clock', { ahead: -95 }],
  ])('names an answer that fails %s', async (name, wrong) => {
    careless.begin(undefined)
    careless.peer.answering = () => ({ status: 200, body: Buffer.of(0), ...wrong })
    try {
      expect(named(await test('careless.example', careless.peer.url), 'fail')).toEqual([name])
    } finally {
      careless.peer.answering = () => ({ status: 200, body: Buffer.of(0) })
    }
  })

  it.each([
    ['dns', 'http://nowhere.invalid'],
    ['directory-fetched', 'http://127.0.0.1:1'],
    ['tls', 'https://127.0.0.1:1'],
  ])('names a way there that fails %s', async (name, url) => {
    expect(named(await test('careless.example', url), 'fail')).toContain(name)
  })

  it.each([
    [[]],
    [['b.example']],
    [['b.example', '--as', 'b.example']],
    [['B.example', '--as', 'c.example']],
    [['b.example', '--as', 'c.example', '--listen', 'x']],
  ])('want arguments: %j', (args) => {
    expect(() => settingsOf(args)).toThrow()
  })
})
