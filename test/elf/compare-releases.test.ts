import { describe, expect, test } from 'vitest'
import { Manifest } from '../../src/domain/manifest.ts'
import { type ComparedRelease, compareReleases } from '../../src/elf/compare-releases.ts'
import { describeObject } from '../../src/elf/describe.ts'
import { compileBpf } from '../support/compile-bpf.ts'

/** An object with one map, whose helper reads the time when it is asked to. */
const objectWith = ({ value = '__u64', entries = 16, clock = false, flags = 0 }) =>
  describeObject(
    compileBpf(`
      #include <linux/bpf.h>
      #include <bpf/bpf_helpers.h>
      struct pair { __u32 a; __u32 b; };
      struct turned { __u32 b; __u32 a; };
      struct { __uint(type, BPF_MAP_TYPE_HASH); __type(key, __u32); __type(value, ${value});
        __uint(max_entries, ${entries}); __uint(map_flags, ${flags}); } table SEC(".maps");
      SEC("xdp") int only(struct xdp_md *ctx) {
        __u32 key = ${clock ? '(__u32)bpf_ktime_get_ns()' : '1'};
        return bpf_map_lookup_elem(&table, &key) ? XDP_DROP : XDP_PASS;
      }
      char _license[] SEC("license") = "GPL";
    `),
    'one.bpf.o',
  )

const fingerprint = (digit: string) => `sha256:${digit.repeat(64)}`

function release(
  object = objectWith({}),
  manifest: object = {},
  more: Partial<ComparedRelease> = {},
): ComparedRelease {
  const parsed = Manifest.parse({
    ...{ name: 'acme/app', version: '1.0.0', summary: 'Counts', license: 'MIT' },
    programs: [{ object: 'one.bpf.o', entry: 'only', hook: 'xdp' }],
    ...manifest,
  })
  const files = [
    { name: 'hookline.yaml', digest: fingerprint('1'), size: 100 },
    { name: 'one.bpf.o', digest: object.digest, size: object.bytes },
  ]
  const objects = new Map([['one.bpf.o', object]])
  return { manifest: parsed, signer: fingerprint('a'), files, objects, ...more }
}

test('equal releases have nothing to tell, whatever the version', () => {
  const { size, whole, ...lists } = compareReleases(release(), release(undefined, { version: '1.1.0' }))
  expect(lists).toEqual({
    ...{
      signer: undefined,
      fields: [],
      entries: [],
      maps: [],
      config: [],
      metrics: [],
      helpers: [],
      files: [],
    },
  })
  expect(size.before).toBe(size.after)
  expect(whole).toBe(true)
})

describe('a map', () => {
  const mapsOf = (before: ComparedRelease, after: ComparedRelease) => compareReleases(before, after).maps
  test('of other members loses its content, though its sizes are the same', () =>
    expect(
      mapsOf(release(objectWith({ value: 'struct pair' })), release(objectWith({ value: 'struct turned' }))),
    ).toEqual([
      {
        what: 'table',
        before: 'state: hash, 16 entries, 4 → 8 bytes',
        after: 'state: hash, 16 entries, 4 → 8 bytes',
        content: 'lost',
      },
    ]))
  test.each([[{ entries: 32 }], [{ value: '__u32' }], [{ flags: 1 }]])('changed by %j loses it', (change) =>
    expect(mapsOf(release(), release(objectWith(change)))).toMatchObject([{ content: 'lost' }]),
  )
  test('that has another role only keeps it', () =>
    expect(
      mapsOf(release(), release(undefined, { maps: [{ name: 'table', role: 'metric' }] })),
    ).toMatchObject([{ before: expect.stringMatching(/^state/), content: 'kept' }]))
  test('of configuration is filled, whatever its layout', () => {
    const maps = { maps: [{ name: 'table', role: 'config' }] }
    expect(mapsOf(release(undefined, maps), release(objectWith({ entries: 32 }), maps))).toMatchObject([
      { content: 'filled' },
    ])
  })
  test('comes and goes', () => {
    const none = release(undefined, {}, { objects: new Map() })
    expect(mapsOf(none, release())).toMatchObject([{ what: 'table', before: undefined, content: 'new' }])
    expect(mapsOf(release(), none)).toMatchObject([{ what: 'table', after: undefined, content: 'lost' }])
  })
})

test('helpers, entries, configuration and fields are told apart', () => {
  const config = (value: number) => ({
    config: [{ name: 'rate', variable: 'cfg_rate', type: 'u32', unit: 'packets/s', default: value, min: 1 }],
  })
  const programs = (proceed: string[]) => ({
    programs: [{ object: 'one.bpf.o', entry: 'only', hook: 'xdp', proceed }],
  })
  const found = compareReleases(
    release(undefined, { ...config(5), ...programs(['pass']), license: 'MIT' }),
    release(objectWith({ clock: true }), {
      ...config(7),
      ...programs(['pass', 'drop']),
      license: 'Apache-2.0',
    }),
  )
  expect(found.helpers).toEqual([{ what: 'bpf_ktime_get_ns', before: undefined, after: 'called' }])
  expect(found.config).toEqual([
    {
      what: 'rate',
      before: 'u32 in packets/s, 5 by default, 1 to …',
      after: 'u32 in packets/s, 7 by default, 1 to …',
    },
  ])
  expect(found.entries[0]?.after).toMatch(/goes on after pass, drop, \d+ instructions/)
  expect(found.fields).toEqual([{ what: 'licence', before: 'MIT', after: 'Apache-2.0' }])
  expect(found.files.map(({ what }) => what)).toEqual(['one.bpf.o'])
  expect(found.maps).toEqual([])
})

test('another signer is told; an object that could not be read makes the comparison partial', () => {
  const found = compareReleases(
    release(),
    release(
      undefined,
      {},
      { signer: { identity: 'https://example.org/job', issuer: 'https://issuer' }, objects: new Map() },
    ),
  )
  expect(found.signer).toEqual({
    ...{ what: 'signer', before: fingerprint('a'), after: 'https://example.org/job (https://issuer)' },
  })
  expect(found.whole).toBe(false)
})
