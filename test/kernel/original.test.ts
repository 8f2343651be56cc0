import { readdirSync } from 'node:fs'
import { afterEach, beforeAll, expect, test } from 'vitest'
import { readBody } from '../../src/bytecode/body.ts'
import { encodeScalar } from '../../src/domain/config.ts'
import { XDP_VERDICTS } from '../../src/domain/hook.ts'
import { readObject } from '../../src/elf/bpf-object.ts'
import { mapInfo } from '../../src/kernel/bpf-info.ts'
import { lookupElement } from '../../src/kernel/bpf-map.ts'
import { testRun } from '../../src/kernel/bpf-program.ts'
import { ensureBpffs } from '../../src/kernel/bpffs.ts'
import type { LoadedOriginal } from '../../src/kernel/loader.ts'
import type { OriginalRequest } from '../../src/kernel/original.ts'
import { expectRefusal } from '../elf/codes.ts'
import { compileBpf } from '../support/compile-bpf.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { ethernet, ipv4, ipv6, tcp } from '../support/packets.ts'
import { compileSource } from './chain-entries.ts'
import { bpfDescriptors } from './descriptors.ts'
import { loadAlone, loadEntry } from './load-entry.ts'

const BPFFS = '/sys/fs/bpf'
const FRAME = ethernet(ipv4(tcp()))

const INCLUDES =
  '#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\nchar LICENSE[] SEC("license") = "GPL";\n'
/** A map that asks to be pinned by its name, in an object of two programs and sections that libbpf does not know. */
const SEVERAL = `${INCLUDES}
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
  __type(key, __u32);
  __type(value, __u64);
} hl_test_by_name SEC(".maps");
SEC("xdp_ratelimiting") int first(struct xdp_md *ctx) {
  __u32 zero = 0;
  __u64 *value = bpf_map_lookup_elem(&hl_test_by_name, &zero);
  return value && *value == 0 ? XDP_TX : XDP_DROP;
}
SEC("acme/any.thing") int second(struct xdp_md *ctx) { return XDP_PASS; }
SEC("kprobe/none") int refused(struct xdp_md *ctx) { return *(int *)(long)ctx->data; }
`

describeAsRoot('loading an object', () => {
  const open: Disposable[] = []
  afterEach(() => {
    for (const one of open.splice(0)) one[Symbol.dispose]()
  })

  function load(bytes: Buffer, entry: string, request: Partial<OriginalRequest> = {}): LoadedOriginal {
    const object = loadEntry(bytes, entry, request)
    open.push({ [Symbol.dispose]: () => object.close() })
    return object
  }
  /** Runs an entry's own instructions, giving the verdicts on the frames. */
  function verdicts(object: LoadedOriginal, frames: readonly Buffer[]): string[] {
    using program = loadAlone(object)
    return frames.map((frame) => XDP_VERDICTS[testRun(program, frame).verdict] ?? 'other')
  }
  function variable(bytes: Buffer, object: LoadedOriginal, name: string): bigint {
    const place = readObject(bytes).variables.find((each) => each.name === name)
    const fd = place && object.maps.get(place.section)
    if (place === undefined || fd === undefined) throw new Error(`the object has no variable ${name}`)
    const value = lookupElement(fd, Buffer.alloc(4), mapInfo(fd).valueBytes)
    if (value === undefined) throw new Error('a data section has one element')
    return value.readBigUInt64LE(place.offset)
  }

  let globals: Buffer
  let several: Buffer
  beforeAll(() => {
    ensureBpffs(BPFFS)
    globals = compileSource('globals')
    several = compileBpf(SEVERAL)
  })

  test('refuses an entry that is not there and names it', () => {
    expectRefusal(() => load(several, 'third'), 'entry_not_found', /no program third/)
    expect(verdicts(load(several, 'second'), [FRAME])).toEqual(['pass'])
  })

  test('loads the entry alone, whatever its section is called and whatever lies beside it', () => {
    expect(verdicts(load(several, 'first'), [FRAME])).toEqual(['tx'])
    expectRefusal(() => load(several, 'refused'), 'verifier_refused', /./)
  })

  test('pins nothing, even for an object that asks for it', () => {
    const before = readdirSync(BPFFS)
    load(several, 'first')
    expect(readdirSync(BPFFS)).toEqual(before)
    expect(before).not.toContain('hl_test_by_name')
  })

  test('refuses what libbpf cannot open', () =>
    expectRefusal(() => load(Buffer.from('no object'), 'x'), 'kernel_refused', /libbpf cannot open/))

  test('writes configuration before the load, so that it decides what runs', () => {
    const place = readObject(globals).variables.find(({ name }) => name === 'cfg_every')
    if (place === undefined) throw new Error('no cfg_every')
    const every = (value: bigint): LoadedOriginal =>
      load(globals, 'globals', {
        variables: [{ ...place, value: encodeScalar({ variable: 'cfg_every', type: 'u32', value }) }],
      })
    const frames = Array<Buffer>(6).fill(FRAME)
    expect(verdicts(load(globals, 'globals'), frames)).toEqual(
      ['pass', 'pass', 'drop', 'pass', 'pass', 'drop'], // its own default, 3
    )
    expect(verdicts(every(2n), frames)).toEqual(['pass', 'drop', 'pass', 'drop', 'pass', 'drop'])
    expect(verdicts(every(0n), frames)).toEqual(Array(6).fill('pass'))
  })

  test('refuses a variable that lies outside its section', () =>
    expectRefusal(
      () =>
        load(globals, 'globals', {
          variables: [{ section: '.rodata', offset: 1 << 16, value: Buffer.alloc(4) }],
        }),
      'object_mismatch',
      /outside \.rodata/,
    ))

  test('names the maps of data sections by their sections', () =>
    expect([...load(globals, 'globals').maps.keys()].sort()).toEqual([
      '.bss',
      '.data',
      '.data.marked',
      '.rodata',
    ]))

  test('uses the maps it is given in place of new ones, those of data sections too', () => {
    const six = ethernet(ipv6(tcp()))
    const first = load(globals, 'globals')
    verdicts(first, [FRAME, six])
    const ttl = BigInt(FRAME.readUInt8(20) + six.readUInt8(20))
    const state = ['.bss', '.data', '.data.marked']
    const reuse = new Map(state.map((name) => [name, first.maps.get(name)?.number ?? -1]))
    const second = load(globals, 'globals', { reuse })
    expect(verdicts(second, [six, six])).toEqual(['drop', 'pass']) // the third packet and the fourth
    const all = { packets: 4n, started: 1000n + ttl + BigInt(2 * six.readUInt8(20)), marked: 11n }
    for (const object of [first, second])
      for (const [name, value] of Object.entries(all))
        expect([name, variable(globals, object, name)]).toEqual([name, value])
    const fresh = load(globals, 'globals')
    for (const [name, value] of Object.entries({ packets: 0n, started: 1000n, marked: 5n }))
      expect([name, variable(globals, fresh, name)]).toEqual([name, value])
  })

  test('says how much stack each function uses, the entry’s first', () => {
    expect(load(compileSource('depth'), 'depth').stackBytes).toEqual([8])
    const deep = compileSource('depth', { defines: { MAIN: 64, SUB: 24 } })
    expect(load(deep, 'depth').stackBytes).toEqual([64, 24])
  })

  test('gives instructions that can be fused, subprograms and global functions behind the entry', () => {
    expect(readBody(load(compileSource('calls'), 'calls').code, 'calls').functions).toHaveLength(3)
    expect(readBody(load(compileSource('global'), 'global').code, 'global').functions).toHaveLength(3)
  })

  test('leaves no descriptor open when closed, nor after a failure', () => {
    const refused = compileBpf(`${INCLUDES}
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); } m SEC(".maps");
SEC("xdp") int x(struct xdp_md *ctx) { __u32 zero = 0; return *(__u64 *)bpf_map_lookup_elem(&m, &zero); }\n`)
    const attempts: [Buffer, string, Partial<OriginalRequest>, string][] = [
      [several, 'third', {}, 'entry_not_found'],
      [several, 'refused', {}, 'verifier_refused'],
      [refused, 'x', {}, 'verifier_refused'],
      [globals.subarray(0, 200), 'globals', {}, 'kernel_refused'],
      [
        globals,
        'globals',
        { variables: [{ section: '.bss', offset: 99, value: Buffer.alloc(8) }] },
        'object_mismatch',
      ],
      [globals, 'globals', { reuse: new Map([['.bss', 9999]]) }, 'kernel_refused'],
    ]
    load(globals, 'globals').close() // what libbpf opens once
    open.splice(0)
    const before = bpfDescriptors()
    for (const [bytes, entry, request, code] of attempts)
      expectRefusal(() => load(bytes, entry, request), code, /./)
    loadEntry(globals, 'globals').close()
    expect(bpfDescriptors()).toEqual(before)
    load(globals, 'globals')
    expect(bpfDescriptors().length).toBeGreaterThan(before.length) // the count does see them
  })
})
