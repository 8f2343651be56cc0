import { describe, expect, test } from 'vitest'
import { resolveConfig, resolveLists } from '../../src/domain/config.ts'
import { parseFunction } from '../../src/domain/function.ts'
import { LIMITS } from '../../src/domain/limits.ts'
import { itemText, type ListItem, ListItems, requireItems } from '../../src/domain/list-config.ts'
import { listConfig, mapRole, parseManifest } from '../../src/domain/manifest.ts'
import { codeOf, expectRefusal } from '../elf/codes.ts'

const LIST =
  '{ name: rules, map: rl_rules, maxItems: 3, key: { prefix: cidr }, value: { action: { enum: { allow: 0, deny: 1 } } } }'
const manifest = (config: string, rest = '') =>
  parseManifest(
    `name: acme/limit\nversion: 1.0.0\nsummary: A test\nlicense: MIT\nprograms: [{ object: a.o, entry: x, hook: xdp }]\nconfig: [${config}]\n${rest}`,
  )

describe('a list of a manifest', () => {
  test('reads as it is written', () => {
    const [list] = listConfig(manifest(LIST))
    expect(list).toMatchObject({ name: 'rules', map: 'rl_rules', maxItems: 3, key: { prefix: 'cidr' } })
    expect(list && itemText(list)).toBe('{ prefix: cidr, action: allow | deny }')
  })
  const refused: [string, string, string, RegExp][] = [
    ['an unknown type', LIST.replace('cidr', 'cidrs'), '', /config\[0\]\.key\.prefix/],
    ['a member that is no name', LIST.replace('prefix', '"a b"'), '', /config\[0\]\.key/],
    ['no key', LIST.replace('prefix: cidr', ''), '', /config\[0\]\.key: names no member/],
    ['a member of both', LIST.replace('action:', 'prefix:'), '', /config\[0\]\.value\.prefix: .*key too/],
    ['no room', LIST.replace('maxItems: 3', 'maxItems: 0'), '', /config\[0\]\.maxItems/],
    [
      'more room than there may be',
      LIST.replace('maxItems: 3', `maxItems: ${LIMITS.list_items + 1}`),
      '',
      /config\[0\]\.maxItems/,
    ],
    [
      'more defaults than items',
      LIST.replace('maxItems: 3', 'maxItems: 1, default: [{ prefix: ::1 }, { prefix: ::2 }]'),
      '',
      /config\[0\]\.default: more than 1 items/,
    ],
    [
      'a default that is no item',
      LIST.replace('maxItems: 3', 'maxItems: 3, default: [{ prefix: 10.0.0.1 }, 7]'),
      '',
      /config\[0\]\.default\[1\]: must be members/,
    ],
    ['a map twice', `${LIST}, ${LIST.replace('rules', 'more')}`, '', /"rl_rules" occurs twice/],
    [
      'a map whose role is state',
      LIST,
      'maps: [{ name: rl_rules, role: state }]',
      /its role is config, not state/,
    ],
    ['a map whose role is metric', LIST, 'maps: [{ name: rl_rules, role: metric }]', /not metric/],
    [
      'a map that a metric reads',
      LIST,
      'metrics: [{ name: d, map: rl_rules, type: counter }]',
      /metrics\[0\]\.map: .* counts nothing/,
    ],
  ]
  test.each(refused)('with %s: refused', (_, config, rest, message) =>
    expectRefusal(() => manifest(config, rest), 'invalid_manifest', message),
  )
  test('gives its map the role config, and no other', () => {
    const made = manifest(LIST, 'maps: [{ name: seen, role: metric }, { name: blank, role: config }]')
    expect(['rl_rules', 'seen', 'blank', 'other'].map((map) => mapRole(made, map))).toEqual([
      ...['config', 'metric', 'config', 'state'],
    ])
    expect(mapRole(manifest(LIST, 'maps: [{ name: rl_rules, role: config }]'), 'rl_rules')).toBe('config')
  })
})

describe('a list of a function', () => {
  const items = (text: string) =>
    parseFunction(
      `kind: function\nname: edge\nselector: {}\ninterfaces: [eth0]\ninstances: [{ use: acme/limit@1.0.0, config: { rules: ${text} } }]`,
    ).instances[0]?.config['rules']
  test('reads as it is written, addresses with colons included', () =>
    expect(
      items('[{ prefix: 10.0.0.0/8, action: deny }, { prefix: ::/0, action: "allow", on: true, n: 443 }]'),
    ).toEqual([
      { prefix: '10.0.0.0/8', action: 'deny' },
      { prefix: '::/0', action: 'allow', on: true, n: 443 },
    ]))
  test('may be empty', () => expect(items('[]')).toEqual([]))
  test.each([
    ['[{ a: 1 }, 7]', /instances\[0\]\.config\.rules\[1\]: must be members/],
    ['[[1]]', /rules\[0\]/],
    ['[{ a: [1] }]', /rules\[0\]/],
    ['[{ a: 1.5 }]', /rules\[0\]/],
    ['[{ a: null }]', /rules\[0\]/],
    ['[{ a: "x\\0y" }]', /rules\[0\]/],
    [`[{ a: ${'x'.repeat(257)} }]`, /rules\[0\]: .*at most 256 characters/],
  ])('of %s: refused', (text, message) => expectRefusal(() => items(text), 'invalid_function', message))
  test('of more items than there may be: refused', () => {
    const many = Array.from({ length: LIMITS.list_items + 1 }, () => ({ a: 1 }))
    expect(ListItems.safeParse(many).success).toBe(false)
    expect(ListItems.safeParse(many.slice(1)).success).toBe(true)
  })
})

describe('the items of an instance', () => {
  const made = manifest(
    `${LIST.replace('maxItems: 3', 'maxItems: 3, default: [{ prefix: 10.0.0.1, action: deny }]')}, { name: rate, variable: cfg_rate, type: u32, default: 5 }`,
  )
  const itemsOf = (given: Parameters<typeof resolveLists>[1]) =>
    resolveLists(made, given).get('rl_rules')?.items
  test('are the function’s, else the manifest’s', () => {
    expect(itemsOf({})).toEqual([{ prefix: '10.0.0.1', action: 'deny' }])
    expect(itemsOf({ rules: [] })).toEqual([])
    expect(resolveLists(manifest(LIST), {}).get('rl_rules')?.items).toEqual([])
  })
  test('are at most as many as the manifest takes', () => {
    const four = Array(4).fill({ prefix: '10.0.0.1', action: 'deny' })
    expect(codeOf(() => itemsOf({ rules: four.slice(1) }))).toBe('accepted')
    expectRefusal(() => itemsOf({ rules: four }), 'invalid_config', /rules has 4 items, at most 3/)
  })
  test('are a list where a list is asked for, and a value where a value is', () => {
    expectRefusal(() => itemsOf({ rules: 7 }), 'invalid_config', /rules is a list/)
    expectRefusal(() => resolveConfig(made, { rate: [] }), 'invalid_config', /rate is one value/)
    expectRefusal(() => resolveConfig(made, { ruled: [] }), 'invalid_config', /no configuration "ruled"/)
    expect(codeOf(() => resolveConfig(made, { rules: [] }))).toBe('accepted')
  })
})

describe('items before anything is signed', () => {
  const [list] = listConfig(
    manifest(LIST.replace('value: {', 'value: { host: string, port: port, via: ip, '), ''),
  )
  const good = { prefix: '::/0', action: 'deny', host: 'a', port: 1, via: '10.0.0.1' }
  const check = (...items: ListItem[]) => list && requireItems(list, items, 'rules')
  test.each([
    ['of IPv4', { prefix: '10.0.0.0/8' }],
    ['of IPv6', { prefix: '2001:db8::/32', via: '::1' }],
    ['with the longest text', { host: 'ä'.repeat(256) }],
  ])('%s: accepted', (_, changed) =>
    expect(codeOf(() => check(good, { ...good, ...changed }))).toBe('accepted'),
  )
  test.each([
    ['an unknown member', { more: 1 }, /rules\[1\] has a member "more"/],
    ['host bits', { prefix: '10.0.0.1/8' }, /rules\[1\]: prefix = "10\.0\.0\.1\/8" has bits beyond/],
    ['an unknown name', { action: 'log' }, /rules\[1\]: action = "log" is none of allow, deny/],
    ['a port too large', { port: 65_536 }, /rules\[1\]: port = 65536 does not fit/],
  ])('with %s: refused', (_, changed, message) =>
    expectRefusal(() => check(good, { ...good, ...changed } as ListItem), 'invalid_config', message),
  )
  test('without a member: refused', () => {
    const { via: _, ...less } = good
    expectRefusal(() => check(less), 'invalid_config', /rules\[0\] has no via/)
  })
})
