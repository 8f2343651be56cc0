import { describe, expect, test } from 'vitest'
import { entriesOf, type ReadyEntry } from '../../src/agent/instance.ts'
import { sha256Digest } from '../../src/attest/keys.ts'
import { FunctionSpec } from '../../src/domain/function.ts'
import { codeOf } from '../attest/craft.ts'
import { compile, heldRelease } from './held-release.ts'

const LIMIT = `
  const volatile __u32 cfg_rate = 100;
  const volatile bool cfg_strict = false;
  const volatile __s16 cfg_offset = -1;
  __u64 seen;
  __u64 started = 7;
  struct { __uint(type, BPF_MAP_TYPE); __uint(max_entries, ENTRIES); __uint(map_flags, FLAGS);
           __type(key, __u32); __type(value, VALUE); } buckets SEC(".maps");
  SEC("xdp") int xdp_limit(struct xdp_md *ctx) {
    __u32 key = cfg_offset;
    seen += started;
    return bpf_map_lookup_elem(&buckets, &key) && cfg_strict && cfg_rate > 9 ? XDP_DROP : XDP_PASS;
  }
  SEC("xdp") int xdp_second(struct xdp_md *ctx) { return cfg_rate ? XDP_TX : XDP_PASS; }
`
const USUAL = { BPF_MAP_TYPE: 'BPF_MAP_TYPE_HASH', ENTRIES: 64, FLAGS: 0, VALUE: '__u64' }
const OBJECT = compile(LIMIT, USUAL)
const CONFIG = [
  { name: 'rate', variable: 'cfg_rate', type: 'u32', default: 100, min: 1, max: 1000 },
  { name: 'strict', variable: 'cfg_strict', type: 'bool', default: false },
  { name: 'offset', variable: 'cfg_offset', type: 'i16', default: -1 },
]

interface Given {
  readonly object?: Buffer
  readonly manifest?: object
  readonly instance?: object
  readonly functionName?: string
}
function entries({ object = OBJECT, manifest = {}, instance = {}, functionName = 'edge' }: Given = {}) {
  const spec = FunctionSpec.parse({
    ...{ kind: 'function', name: functionName, selector: {}, interfaces: ['eth0'] },
    instances: [{ use: 'acme/limit@^1.0', ...instance }],
  })
  const [one] = spec.instances
  if (one === undefined) throw new Error('no instance')
  return entriesOf(spec, one, heldRelease({ 'limit.bpf.o': object }, { config: CONFIG, ...manifest }))
}
const first = (ready: readonly ReadyEntry[]): ReadyEntry => {
  const [entry] = ready
  if (entry === undefined) throw new Error('no entry')
  return entry
}
const BOTH = {
  programs: [
    { object: 'limit.bpf.o', entry: 'xdp_second', hook: 'xdp', proceed: ['tx', 'pass'] },
    { object: 'limit.bpf.o', entry: 'xdp_limit', hook: 'xdp' },
  ],
}

test('an instance is remembered by release, entry, object and its name', () => {
  expect(first(entries()).record).toEqual({
    ...{ function: 'edge', instance: 'limit', release: 'acme/limit@1.0.0', entry: 'xdp_limit' },
    ...{ object: sha256Digest(OBJECT), proceed: ['pass'] },
    spec: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
  })
  expect(first(entries({ instance: { name: 'front' } })).record.instance).toBe('front')
})

test('an image holds the very buffer that was checked, and what the object says of itself', () => {
  const { image } = first(entries())
  expect(image.bytes).toBe(OBJECT)
  expect(image).toMatchObject({ entry: 'xdp_limit', license: 'GPL', gplCompatible: true, frags: false })
})

test('several programs of one release become entries in the order of its manifest', () => {
  expect(entries({ manifest: BOTH }).map(({ record }) => [record.entry, record.proceed])).toEqual([
    ['xdp_second', ['tx', 'pass']],
    ['xdp_limit', ['pass']],
  ])
})

describe('configuration', () => {
  const values = (config: object): Record<string, string> => {
    const { image } = first(entries({ instance: { config } }))
    return Object.fromEntries(
      image.variables.map(({ section, offset, value }) => [`${section}+${offset}`, value.toString('hex')]),
    )
  }
  test('defaults are written where the manifest says, little-endian, in the width of their type', () => {
    const written = Object.values(values({}))
    expect(written.sort()).toEqual(['00', '64000000', 'ffff'])
    expect(Object.keys(values({})).every((place) => place.startsWith('.rodata+'))).toBe(true)
  })
  test('given values take their place', () => {
    expect(Object.values(values({ rate: 1000, strict: true, offset: -2 })).sort()).toEqual([
      ...['01', 'e8030000', 'feff'],
    ])
    expect(values({ rate: 1000 })).not.toEqual(values({}))
  })
  test.each([
    ['at its minimum', { rate: 1 }],
    ['at its maximum', { rate: 1000 }],
    ['as text', { rate: '999' }],
    ['at the end of its type', { offset: -32_768 }],
  ])('a value %s is taken', (_, config) => {
    expect(codeOf(() => values(config))).toBe('no error')
  })
  test.each([
    ['below its minimum', { rate: 0 }],
    ['above its maximum', { rate: 1001 }],
    ['beyond its type', { offset: -32_769 }],
    ['of another type', { strict: 1 }],
    ['a switch for a number', { rate: true }],
    ['that nobody knows', { speed: 3 }],
  ])('a value %s is refused', (_, config) => {
    expect(codeOf(() => values(config))).toBe('invalid_config')
  })
})

describe('verdicts after which the chain goes on', () => {
  const proceed = (given: object, manifest: object = {}): readonly string[] =>
    first(entries({ instance: { proceed: given }, manifest })).image.proceed
  const withManifest = {
    programs: [{ object: 'limit.bpf.o', entry: 'xdp_limit', hook: 'xdp', proceed: ['tx'] }],
  }
  test('are pass, unless the manifest says otherwise, unless the function does', () => {
    expect(proceed({})).toEqual(['pass'])
    expect(proceed({}, withManifest)).toEqual(['tx'])
    expect(proceed({ xdp_limit: ['drop', 'pass'] }, withManifest)).toEqual(['drop', 'pass'])
    expect(proceed({ xdp_limit: [] }, withManifest)).toEqual([])
  })
  test('must be verdicts of XDP', () => {
    expect(codeOf(() => proceed({ xdp_limit: ['shot'] }))).toBe('invalid_function')
  })
  test('must be those of an entry that the release has', () => {
    expect(codeOf(() => proceed({ xdp_other: ['pass'] }))).toBe('invalid_function')
    expect(codeOf(() => proceed({ xdp_second: ['pass'] }))).toBe('invalid_function') // in the object, not in the manifest
  })
})

describe('a map is carried over exactly when nothing about it changed', () => {
  const keys = (given: Given = {}): Record<string, string | undefined> =>
    Object.fromEntries(first(entries(given)).image.maps.map(({ name, stateKey }) => [name, stateKey]))
  const object = (changed: Partial<typeof USUAL>): Buffer => compile(LIMIT, { ...USUAL, ...changed })

  test('its key names function and instance, and constants have none', () => {
    const all = keys()
    expect(all['.rodata']).toBeUndefined()
    expect(all['buckets']).toMatch(/^edge\/limit\/buckets-[0-9a-f]{16}$/)
    expect(all['.bss']).toMatch(/^edge\/limit\/limit\.bpf\.o:\.bss-[0-9a-f]{16}$/)
    expect(all['.data']).toMatch(/^edge\/limit\/limit\.bpf\.o:\.data-[0-9a-f]{16}$/)
    expect(Object.keys(all).sort()).toEqual(['.bss', '.data', '.rodata', 'buckets'])
  })
  test.each([
    ['other code', () => keys({ object: compile(LIMIT.replace('cfg_rate > 9', 'cfg_rate > 8'), USUAL) })],
    ['other configuration', () => keys({ instance: { config: { rate: 5 } } })],
    ['another version', () => keys({ manifest: { version: '1.0.1' } })],
  ])('%s keeps every key', (_, changed) => {
    expect(changed()).toEqual(keys())
  })
  test.each([
    ['type', { BPF_MAP_TYPE: 'BPF_MAP_TYPE_LRU_HASH' }],
    ['size', { ENTRIES: 65 }],
    ['flags', { FLAGS: 1 }],
    ['value of another size', { VALUE: '__u32' }],
    ['value of another meaning', { VALUE: '__s64' }],
  ])('another %s changes the key of that map alone', (_, changed) => {
    const [before, after] = [keys(), keys({ object: object(changed) })]
    expect(after['buckets']).not.toBe(before['buckets'])
    expect({ ...after, buckets: '' }).toEqual({ ...before, buckets: '' })
  })
  test('a further global variable changes the key of its section alone', () => {
    const [before, after] = [keys(), keys({ object: compile(`__u64 more; ${LIMIT}`, USUAL) })]
    expect(after['.bss']).not.toBe(before['.bss'])
    expect({ ...after, '.bss': '' }).toEqual({ ...before, '.bss': '' })
  })
  test('another instance or function shares nothing', () => {
    const all = [keys(), keys({ instance: { name: 'front' } }), keys({ functionName: 'core' })]
    expect(new Set(all.map((each) => each['buckets'])).size).toBe(3)
  })
  test('two objects of a release share their maps by name, and never their sections', () => {
    const spec = FunctionSpec.parse({
      ...{ kind: 'function', name: 'edge', selector: {}, interfaces: ['eth0'] },
      instances: [{ use: 'acme/limit@^1.0' }],
    })
    const release = heldRelease(
      { 'a.bpf.o': OBJECT, 'b.bpf.o': OBJECT },
      {
        programs: [
          { object: 'a.bpf.o', entry: 'xdp_limit', hook: 'xdp' },
          { object: 'b.bpf.o', entry: 'xdp_second', hook: 'xdp' },
        ],
      },
    )
    const [one] = spec.instances
    const [a, b] = one === undefined ? [] : entriesOf(spec, one, release)
    const key = (entry: ReadyEntry | undefined, name: string): string | undefined =>
      entry?.image.maps.find((map) => map.name === name)?.stateKey
    expect(key(a, 'buckets')).toBe(key(b, 'buckets'))
    expect(key(a, '.bss')).not.toBe(key(b, '.bss'))
  })
})

describe('a list', () => {
  const LISTED = compile(
    `struct cidr { __u32 prefixlen; __u8 address[4]; };
     struct { __uint(type, BPF_MAP_TYPE_LPM_TRIE); __uint(max_entries, 64); __uint(map_flags, BPF_F_NO_PREALLOC);
              __type(key, struct cidr); __type(value, __u32); } rules SEC(".maps");
     struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, SIZE); __type(key, __u32); __type(value, __u64); } seen SEC(".maps");
     #define USE(name) SEC("xdp") int name(struct xdp_md *ctx) { struct cidr key = { 32, { 1 } }; __u32 zero = 0; \\
       return bpf_map_lookup_elem(&rules, &key) && bpf_map_lookup_elem(&seen, &zero) ? XDP_DROP : XDP_PASS; }
     USE(xdp_limit) USE(xdp_second)`,
    { SIZE: 8 },
  )
  const LIST = {
    ...{ name: 'rules', map: 'rules', maxItems: 3, key: { prefix: 'cidr' } },
    value: { action: { enum: { allow: 0, deny: 1 } } },
  }
  const deny = (prefix: string) => ({ prefix, action: 'deny' })
  const listed = (rules?: object[], manifest: object = {}): ReadyEntry[] =>
    entries({
      object: LISTED,
      manifest: { config: [LIST], ...manifest },
      instance: rules === undefined ? {} : { config: { rules } },
    })
  const mapOf = (ready: readonly ReadyEntry[], name = 'rules', at = 0) =>
    ready[at]?.image.maps.find((map) => map.name === name)
  const key = (...given: Parameters<typeof listed>) => mapOf(listed(...given))?.stateKey

  test('fills its map with its items, whatever their order', () => {
    const rules = mapOf(listed([deny('10.1.0.0/16'), deny('10.0.0.0/8')]))
    expect(rules?.content?.map(({ key, value }) => [key.toString('hex'), value.toString('hex')])).toEqual([
      ['080000000a000000', '01000000'],
      ['100000000a010000', '01000000'],
    ])
    expect(rules?.stateKey).toMatch(/^edge\/limit\/rules-[0-9a-f]{16}-[0-9a-f]{32}$/)
    expect(key([deny('10.0.0.0/8'), deny('10.1.0.0/16')])).toBe(rules?.stateKey)
  })
  test('is told apart by its content alone: what was there before is found again', () => {
    const before = key([deny('10.0.0.0/8')])
    expect(key([deny('10.0.0.0/9')])).not.toBe(before)
    expect(key([{ prefix: '10.0.0.0/8', action: 'allow' }])).not.toBe(before)
    expect(key([deny('10.0.0.0/8')], { version: '1.0.9' })).toBe(before)
  })
  test('changes no other map, and other maps have no content', () => {
    const [some, none] = [listed([deny('10.0.0.0/8')]), listed([])]
    expect(mapOf(some, 'seen')).toEqual(mapOf(none, 'seen'))
    expect(mapOf(some, 'seen')).toEqual({
      name: 'seen',
      stateKey: expect.stringMatching(/seen-[0-9a-f]{16}$/),
    })
  })
  test('without items fills its map with none, unless the manifest has some', () => {
    expect(mapOf(listed())?.content).toEqual([])
    expect(key()).toBe(key([]))
    const config = [{ ...LIST, default: [deny('10.0.0.0/8')] }]
    expect(key(undefined, { config })).toBe(key([deny('10.0.0.0/8')]))
    expect(key([], { config })).toBe(key([]))
  })
  test('is one map for all entries of its instance', () => {
    const both = listed([deny('10.0.0.0/8')], BOTH)
    expect(mapOf(both, 'rules', 0)).toBe(mapOf(both, 'rules', 1))
  })
  test('a map of role config that no list fills is empty; a state or metric map is left as it is', () => {
    const maps = [{ name: 'seen', role: 'config' }]
    expect(mapOf(listed([], { maps }), 'seen')?.content).toEqual([])
    for (const role of ['state', 'metric'])
      expect(mapOf(listed([], { maps: [{ name: 'seen', role }] }), 'seen')).toEqual(mapOf(listed([]), 'seen'))
  })
  test.each([
    ['an item of too many', [1, 2, 3, 4].map((last) => deny(`10.0.0.${last}`))],
    ['an item twice', [deny('10.0.0.1'), deny('10.0.0.1/32')]],
    ['an item with host bits', [deny('10.0.0.1/8')]],
    ['an item of another list', [{ port: 1 }]],
  ])('with %s is refused', (_, rules) => expect(codeOf(() => listed(rules))).toBe('invalid_config'))
})

test('an entry that the object does not have is refused', () => {
  const programs = [{ object: 'limit.bpf.o', entry: 'xdp_third', hook: 'xdp' }]
  expect(codeOf(() => entries({ manifest: { programs } }))).toBe('object_mismatch')
})

test.each(['constructor', 'toString'])('nothing is inherited by an entry or value named %s', (name) => {
  const config = [{ name: 'constructor', variable: 'cfg_rate', type: 'u32', default: 7 }]
  const image = first(entries({ manifest: { config } })).image
  expect(image.variables.map(({ value }) => value.readUInt32LE())).toEqual([7])
  expect(() => entries({ instance: { proceed: { [name]: ['pass'] } } })).toThrow(`no entry ${name}`)
})
