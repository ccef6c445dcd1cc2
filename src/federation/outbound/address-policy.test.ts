import { describe, expect, it } from '@jest/globals'
import { isAllowedAddress, literalAddress, parseRanges } from './address-policy.js'

describe('an address', () => {
  it.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '169.254.169.254',
    '172.16.0.1',
    '192.0.0.1',
    '192.0.2.1',
    '192.168.0.1',
    '198.18.0.1',
    '203.0.113.9',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::127.0.0.1',
    '::808:808',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::a00:1',
    '2002:7f00:1::',
    '2001:0:4136:e378:8000:63bf:3fff:fdd2',
    'fc00::1',
    'fe80::1',
    'fe80::1%eth0',
    'ff02::1',
    '2001:db8::1',
    '100::1',
    '100:0:0:1::1',
    '4000::1',
    '5f00::1',
    '1fff::1',
    '3fff::1',
    '2001:2::1',
    '2001:20::1',
    '2001:1::1',
    'not an address',
    '',
  ])('%s is not asked', (address) => {
    expect(isAllowedAddress(address, [])).toBe(false)
  })

  it.each(['8.8.8.8', '::ffff:8.8.8.8', '2606:4700:4700::1111', '2001:200::1', '2001:4860:4860::8888', '3ffe::1', '2a00:1450::1'])(
    '%s is',
    (address) => {
      expect(isAllowedAddress(address, [])).toBe(true)
    },
  )

  it('is asked if the operator allows its range, also where it is mapped', () => {
    const ranges = parseRanges(['10.0.0.0/8', 'fd00::/8'])
    expect(['10.9.9.9', '::ffff:10.9.9.9', 'fd00::1'].map((address) => isAllowedAddress(address, ranges))).toEqual([true, true, true])
    expect(['11.0.0.1', '127.0.0.1', 'fc00::1'].map((address) => isAllowedAddress(address, ranges))).toEqual([true, false, false])
  })
})

describe('the literal of a URL', () => {
  it.each([
    ['http://0x7f.1/', '127.0.0.1'],
    ['http://2130706433/', '127.0.0.1'],
    ['http://0177.0.0.1/', '127.0.0.1'],
    ['http://[::ffff:127.0.0.1]/', '::ffff:7f00:1'],
    ['http://example.com/', undefined],
  ])('%s is %s', (url, literal) => {
    expect(literalAddress(new URL(url).hostname)).toBe(literal)
  })
})
