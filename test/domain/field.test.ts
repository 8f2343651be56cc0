import { describe, expect, test } from 'vitest'
import { encodeField, FieldType, type FieldValue, fieldSizes, fieldText } from '../../src/domain/field.ts'

const ACTION = { enum: { allow: 0, deny: 1, log: -1 } }
const encode = (type: FieldType, value: FieldValue, size = fieldSizes(type)?.[0] ?? 8): string =>
  encodeField(type, value, size, (why) => {
    throw new Error(why)
  }).toString('hex')

describe('the bytes of a field', () => {
  const rows: [FieldType, FieldValue, string, number?][] = [
    ['u8', 255, 'ff'],
    ['i8', -1, 'ff'],
    ['u16', 0x102, '0201'],
    ['i32', -2, 'feffffff'],
    ['u64', '18446744073709551615', 'ffffffffffffffff'],
    ['i64', '-9223372036854775808', '0000000000000080'],
    ['bool', true, '01'],
    ['bool', false, '00'],
    ['cidr', '10.0.0.0/8', '080000000a000000'],
    ['cidr', '10.1.2.3', '200000000a010203'],
    ['cidr', '2001:db8::/32', '2000000020010db8000000000000000000000000', 20],
    ['ipv4', '192.0.2.1', 'c0000201'],
    ['ipv6', '::1', '00000000000000000000000000000001'],
    ['ip', '192.0.2.1', '00000000000000000000ffffc0000201'],
    ['ip', '2001:db8::', '20010db8000000000000000000000000'],
    ['mac', '02:00:5E:00:00:ff', '02005e0000ff'],
    ['mac', '02-00-5e-00-00-ff', '02005e0000ff'],
    ['port', 443, '01bb'],
    ['be16', 0x800, '0800'],
    ['be32', 0x0102_0304, '01020304'],
    ['string', 'eth0', '6574683000000000'],
    ['string', '', '00', 1],
    ['string', 'ä', 'c3a400', 3],
    [ACTION, 'deny', '01000000', 4],
    [ACTION, 'deny', '01', 1],
    [ACTION, 'log', 'ffff', 2],
  ]
  test.each(rows)('%j %j: %s', (type, value, hex, size) => expect(encode(type, value, size)).toBe(hex))
})

describe('a value that does not fit is refused', () => {
  const rows: [FieldType, FieldValue, RegExp, number?][] = [
    ['u8', 256, /does not fit u8, 0 to 255/],
    ['u8', -1, /does not fit/],
    ['u32', true, /not a whole number/],
    ['u32', 'ten', /not a whole number/],
    ['u32', '', /not a whole number/],
    ['u64', '18446744073709551616', /does not fit/],
    ['bool', 1, /neither true nor false/],
    ['cidr', '10.0.0.1/8', /bits beyond its first 8/],
    ['cidr', '10.0.0.0/40', /not an address prefix/],
    ['cidr', 10, /not an address prefix.*quotes/],
    ['cidr', '2001:db8::/32', /not IPv4/, 8],
    ['cidr', '10.0.0.0/8', /not IPv6.*::ffff:10\.0\.0\.0\/104/, 20],
    ['ipv4', '::1', /no IPv4 address/],
    ['ipv4', '10.0.0.0/8', /no IPv4 address/],
    ['ipv6', '10.0.0.1', /no IPv6 address/],
    ['ip', 'host', /no IP address/],
    ['mac', '02:00:00:00:00', /not a MAC/],
    ['mac', '02:00-00:00:00:01', /not a MAC/],
    ['port', 65_536, /does not fit port/],
    ['be16', -1, /does not fit be16/],
    ['be32', 2 ** 32, /does not fit be32/],
    ['string', 'eth0', /4 bytes; there is room for 3/, 4],
    ['string', 'ää', /4 bytes/, 4],
    ['string', 7, /quotes/],
    ['string', 'a\0b', /cannot hold/],
    ['string', '\ud800', /cannot hold/],
    [ACTION, 'permit', /none of allow, deny, log/],
    [ACTION, 1, /none of/],
    [ACTION, 'toString', /none of/],
  ]
  test.each(rows)('%j %j', (type, value, why, size) => expect(() => encode(type, value, size)).toThrow(why))
})

test('a type is named by what one may write', () => {
  expect(fieldText('cidr')).toBe('cidr')
  expect(fieldText(ACTION)).toBe('allow | deny | log')
})

test.each([
  ['an unknown name', 'u128'],
  ['an enum of nothing', { enum: {} }],
  ['an enum with one value twice', { enum: { a: 1, b: 1 } }],
  ['an enum of text', { enum: { a: 'one' } }],
  ['an enum with more beside it', { enum: { a: 1 }, bits: 8 }],
])('%s is no type', (_, type) => expect(FieldType.safeParse(type).success).toBe(false))
