import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { startServer, type TestServer } from '../support/server.js'
import { Http, newKey, TestDevice, UNLIMITED } from './device-fixture.js'

let server: TestServer
const lines: string[] = []
beforeAll(async () => {
  server = await startServer({ ...UNLIMITED, LOG_LEVEL: 'trace' }, { log: { write: (line) => void lines.push(line) } })
})
afterAll(() => server.close())

it('the log tells what happened, and neither who nor with which token', async () => {
  const http = new Http(server.url)
  const device = await TestDevice.registered(server.url)
  const first = { access: device.accessToken!, refresh: device.refreshToken }
  const laptop = await device.addDevice('laptop')
  await device.login()
  await device.login(newKey())
  const refreshed = (await http.refresh(first.refresh)).body
  await http.refresh(refreshed.refresh_token)
  await http.refresh(first.refresh)
  await device.login()
  await device.call('DELETE', '/v1/devices/laptop')
  await laptop.standing()
  await device.call('DELETE', '/v1/auth/sessions')

  const log = lines.join('')
  for (const event of [
    'account.registered',
    'device.registered',
    'session.opened',
    'device.revoked',
    'refresh-token.reused',
    'session.ended',
  ])
    expect(log).toContain(`"event":"${event}"`)
  const secrets = [device.name, 'laptop', first.access, first.refresh, refreshed.access_token, refreshed.refresh_token, device.accessToken!]
  for (const secret of secrets) expect(log).not.toContain(secret)
  const metrics = await (await fetch(`${server.url}/metrics`)).text()
  expect(metrics).toContain('business_events_total{event="device.revoked"} 1')
  for (const secret of secrets) expect(metrics).not.toContain(secret)
})
