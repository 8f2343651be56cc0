import { describe, expect, test } from 'vitest'
import { Manifest } from '../../src/domain/manifest.ts'
import { checkContents } from '../../src/elf/check-contents.ts'
import { compileBpf } from '../support/compile-bpf.ts'

const object = (body: string, license = 'GPL'): Buffer =>
  compileBpf(`#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
${license === '' ? '' : `char LICENSE[] SEC("license") = "${license}";`}
${body}`)
const PLAIN = 'SEC("xdp") int x(struct xdp_md *ctx) { return XDP_PASS; }'
const TIMER = `struct one { struct bpf_timer timer; };
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, struct one); } timers SEC(".maps");
SEC("xdp") int x(struct xdp_md *ctx) {
  __u32 key = 0;
  struct one *one = bpf_map_lookup_elem(&timers, &key);
  if (one) bpf_timer_start(&one->timer, 1000, 0);
  return XDP_PASS;
}`
const PINNED = (values: string): string => `struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 4);
  __type(key, __u32); __type(value, ${values}); __uint(pinning, LIBBPF_PIN_BY_NAME); } shared SEC(".maps");
SEC("xdp") int x(struct xdp_md *ctx) { __u32 key = 0; return bpf_map_lookup_elem(&shared, &key) ? XDP_DROP : XDP_PASS; }`

function found(
  body: string | [string, string][],
  changes: object = {},
  license = 'GPL',
  more: [string, Buffer][] = [],
) {
  const bodies: [string, string][] = typeof body === 'string' ? [['x.bpf.o', body]] : body
  const manifest = Manifest.parse({
    ...{ name: 'acme/app', version: '1.0.0', summary: 'x', license: 'BSD-2-Clause', readme: 'README.md' },
    programs: bodies.map(([file], at) => ({ object: file, entry: 'x', hook: ['xdp', 'tc-ingress'][at] })),
    ...changes,
  })
  const files = new Map<string, Buffer>([
    ['README.md', Buffer.from('x')],
    ...bodies.map(([file, text]): [string, Buffer] => [file, object(text, license)]),
    ...more,
  ])
  return checkContents(manifest, files).checks
}
/** What did not hold: check, level and code. */
const wrong = (...asked: Parameters<typeof found>): string[] =>
  found(...asked).flatMap(({ check, level, code }) => (level === 'ok' ? [] : [`${check} ${code ?? level}`]))

describe('the checks of a release', () => {
  test('all hold for a sound one, each says what', () => {
    const checks = found(PLAIN)
    expect(checks.map(({ level }) => level)).toEqual(checks.map(() => 'ok'))
    expect(checks.map(({ check }) => check)).toEqual([
      'manifest',
      'licence',
      'files',
      'objects',
      'permissions',
      'kernel',
    ])
    expect(checks.every(({ detail }) => detail !== '')).toBe(true)
  })

  test.each<[string, object, string[], [string, Buffer][]?]>([
    ['MIT', {}, []],
    ['GPL-2.0-only', {}, ['licence source_missing']],
    ['GPL-2.0-only', { source: 'https://example.org' }, []],
    ['GPL-2.0-or-later WITH Linux-syscall-note', {}, ['licence source_missing']],
    ['BSD-2-Clause OR GPL-2.0-only', {}, []],
    ['BSD-2-Clause AND LGPL-2.1-only', {}, ['licence source_missing']],
    ['LicenseRef-ours', {}, []],
    ['GPL-2.0-only', { source: 'source.tar.gz' }, ['licence object_mismatch']],
    ['GPL-2.0-only', { source: 'source.tar.gz' }, [], [['source.tar.gz', Buffer.from('x')]]],
    ['GPL v2', {}, ['licence invalid_license']],
    ['MIT OR', {}, ['licence invalid_license']],
    ['NoSuchLicence-1.0', {}, ['licence invalid_license']],
  ])('licence %s with %o: %o', (license, changes, expected, more = []) => {
    expect(wrong(PLAIN, { license, ...changes }, 'GPL', more)).toEqual(expected)
  })

  test('name files that are not there, and a README that is missed', () => {
    expect(wrong(PLAIN, { readme: 'other.md' })).toEqual(['files object_mismatch'])
    expect(wrong(PLAIN, { changelog: 'CHANGES.md' })).toEqual(['files object_mismatch'])
    expect(wrong(PLAIN, { readme: undefined })).toEqual(['files warning'])
  })

  test('see helpers that the object’s licence does not allow', () => {
    expect(wrong(TIMER, { requires: { kernel: '>=5.15' }, permissions: ['timers'] })).toEqual([])
    expect(wrong(TIMER, { requires: { kernel: '>=5.15' }, permissions: ['timers'] }, 'Proprietary')).toEqual([
      'gpl-helpers gpl_required',
    ])
    const [check] = found(TIMER, {}, '').filter(({ check }) => check === 'gpl-helpers')
    expect(check?.detail).toBe('x of x.bpf.o calls bpf_timer_start, but its object says no licence')
  })

  test('refuse what the bytecode can do and the manifest does not declare, and say where', () => {
    const drops = PLAIN.replace('XDP_PASS', 'ctx->rx_queue_index ? XDP_DROP : XDP_TX')
    const permissions = (declared: string[], body = drops) =>
      found(body, { permissions: declared }).filter(({ check }) => check === 'permissions')
    expect(permissions(['drop'])).toEqual([
      {
        ...{ check: 'permissions', level: 'error', code: 'permissions_undeclared' },
        detail: expect.stringMatching(
          /^x can send packets back, but permissions has no transmit: may return a verdict to transmit in x at instruction \d+, .*:\d+$/,
        ),
        remedy: expect.stringContaining('hookline.yaml'),
      },
    ])
    expect(permissions([]).map(({ detail }) => /has no (\w+)/.exec(detail)?.[1])).toEqual([
      'drop',
      'transmit',
    ])
    expect(permissions(['transmit', 'drop'])).toEqual([
      { check: 'permissions', level: 'ok', detail: 'drop, transmit' },
    ])
    expect(permissions(['drop'], PLAIN).map(({ level, detail }) => `${level}: ${detail}`)).toEqual([
      'ok: it lets packets pass',
      'warning: permissions has drop, which its bytecode does not need',
    ])
  })

  test('know the oldest kernel that has what is used', () => {
    const kernel = (body: string, requires?: object) =>
      found(body, requires === undefined ? {} : { requires }).find(({ check }) => check === 'kernel')
    expect(kernel(TIMER)).toEqual({
      check: 'kernel',
      level: 'warning',
      detail: 'bpf_timer_start in x needs Linux 5.15; the manifest names no kernel',
      remedy: 'add requires: { kernel: ">=5.15" }',
    })
    expect(kernel(TIMER, { kernel: '>=5.10' })?.level).toBe('warning')
    expect(kernel(TIMER, { kernel: '>=5.15' })?.level).toBe('ok')
    expect(kernel(PLAIN.replace('"xdp"', '"xdp.frags"'))?.detail).toMatch(
      /multi-buffer packets of x needs Linux 5\.18/,
    )
  })

  test('say what pins by name come to', () => {
    const two = (a: string, b: string): string[] =>
      found([
        ['a.bpf.o', PINNED(a)],
        ['b.bpf.o', PINNED(b).replace('"xdp"', '"tc"').replace('struct xdp_md', 'struct __sk_buff')],
      ]).flatMap(({ check, detail }) => (check === 'pins' ? [detail] : []))
    expect(two('__u32', '__u32')).toEqual([expect.stringContaining('it is pinned for each instance')])
    expect(two('__u32', '__u64')).toEqual([expect.stringContaining('differs between a.bpf.o and b.bpf.o')])
  })

  test('warn of what no chain can hold, and stop at objects that are none', () => {
    const throws = `extern void bpf_throw(__u64 cookie) __ksym;
SEC("xdp") int x(struct xdp_md *ctx) { bpf_throw(1); return XDP_PASS; }`
    expect(
      wrong(throws, { requires: { kernel: '>=6.7' }, permissions: ['drop', 'transmit', 'redirect'] }),
    ).toEqual(['chaining warning'])
    expect(wrong(PLAIN, { programs: [{ object: 'README.md', entry: 'x', hook: 'xdp' }] })).toEqual([
      'objects elf_not_elf',
    ])
  })
})
