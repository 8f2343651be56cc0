import { describe, expect, test } from 'vitest'
import { addressBytes, hasHostBits, mappedAddress, parsePrefix } from '../../src/domain/address.ts'

describe('the bytes of an address', () => {
  test.each([
    ['10.1.2.255', '0a0102ff'],
    ['0.0.0.0', '00000000'],
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['1::', '00010000000000000000000000000000'],
    ['2001:db8::a:0:b', '20010db8000000000000000a0000000b'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['::ffff:192.0.2.1', '00000000000000000000ffffc0000201'],
    ['64:ff9b::10.0.0.1', '0064ff9b00000000000000000a000001'],
    ['FE80::ABCD', 'fe80000000000000000000000000abcd'],
    ['1:2:3:4:5:6:1.2.3.4', '00010002000300040005000601020304'],
  ])('of %s', (text, hex) => expect(addressBytes(text)?.toString('hex')).toBe(hex))
  test.each([
    '',
    '10.0.0',
    '10.0.0.256',
    '010.0.0.1',
    '1.2.3.4.5',
    ':::',
    '1::2::3',
    'fe80::1%eth0',
    'a',
    '::g',
  ])('%j is none', (text) => expect(addressBytes(text)).toBeUndefined())
  test('IPv4 in IPv6', () =>
    expect(mappedAddress(Buffer.from([10, 0, 0, 1]))).toEqual(addressBytes('::ffff:10.0.0.1')))
})

describe('a prefix', () => {
  test.each([
    ['10.0.0.0/8', 4, 8],
    ['0.0.0.0/0', 4, 0],
    ['10.0.0.1', 4, 32],
    ['10.0.0.1/32', 4, 32],
    ['2001:db8::/32', 16, 32],
    ['::/0', 16, 0],
    ['::1', 16, 128],
  ])('%s', (text, length, bits) => {
    const prefix = parsePrefix(text)
    expect([prefix?.bytes.length, prefix?.bits]).toEqual([length, bits])
    expect(prefix && hasHostBits(prefix)).toBe(false)
  })
  test.each([
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '/8',
    'x/8',
  ])('%s is none', (text) => expect(parsePrefix(text)).toBeUndefined())
  test.each([
    ['10.0.0.1/31', true],
    ['10.0.0.2/31', false],
    ['10.1.0.0/8', true],
    ['128.0.0.0/0', true],
    ['128.0.0.0/1', false],
    ['192.0.0.0/1', true],
    ['2001:db8::1/64', true],
    ['2001:db8:0:0:8000::/65', false],
    ['2001:db8:0:0:8000::/64', true],
  ])('%s has bits behind those that count: %s', (text, has) => {
    const prefix = parsePrefix(text)
    expect(prefix && hasHostBits(prefix)).toBe(has)
  })
})
