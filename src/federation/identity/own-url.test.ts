import { describe, expect, it } from '@jest/globals'
import { OwnUrl } from './own-url.js'

const listening = (address: string, family: string) =>
  ({ httpAdapter: { getHttpServer: () => ({ address: () => ({ address, family, port: 8080 }) }) } }) as never
const of = (config: { FEDERATION_URL?: string; PUBLIC_URL?: string }, host = listening('127.0.0.1', 'IPv4')) =>
  new OwnUrl({ HOST: '127.0.0.1', FEDERATION_URL: undefined, PUBLIC_URL: undefined, ...config }, host).get()

describe('peers come to', () => {
  it('the address that is theirs, before that of the clients, before where the server listens', () => {
    const [FEDERATION_URL, PUBLIC_URL] = ['https://peers.a.example', 'https://chat.a.example']
    expect(of({ FEDERATION_URL, PUBLIC_URL })).toBe(FEDERATION_URL)
    expect(of({ PUBLIC_URL })).toBe(PUBLIC_URL)
    expect(of({})).toBe('http://127.0.0.1:8080')
    expect(of({}, listening('::1', 'IPv6'))).toBe('http://[::1]:8080')
  })
})
