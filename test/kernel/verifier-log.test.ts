import { describe, expect, test } from 'vitest'
import { encode, OP } from '../../src/bytecode/instruction.ts'
import { DomainError } from '../../src/domain/errors.ts'
import { loadXdpProgram, verifierError } from '../../src/kernel/bpf-program.ts'
import { usefulLines } from '../../src/kernel/verifier-log.ts'
import { compileBpf } from '../support/compile-bpf.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { compileSource } from './chain-entries.ts'
import { loadEntry } from './load-entry.ts'

const INCLUDES =
  '#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\nchar LICENSE[] SEC("license") = "GPL";\n'
const MAP =
  'struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); } m SEC(".maps");\n'

/** Programs that the kernel refuses, with what it says. */
const REFUSED: [string, string, RegExp][] = [
  [
    'a packet access without a bound',
    'SEC("xdp") int x(struct xdp_md *ctx) { return *((__u8 *)(long)ctx->data + 3); }\n',
    /invalid access to packet, off=3 size=1, R\d\(id=0,off=3,r=0\).*R\d offset is outside of the packet/,
  ],
  [
    'a lookup whose result is not checked',
    `${MAP}SEC("xdp") int x(struct xdp_md *ctx) { __u32 key = 7; return *(__u64 *)bpf_map_lookup_elem(&m, &key); }\n`,
    /R0 invalid mem access 'map_value_or_null'/,
  ],
  [
    'a loop without end',
    'SEC("xdp") int x(struct xdp_md *ctx) { volatile int at = 0; while (1) at += 0; return at; }\n',
    /infinite loop detected|back-edge|program is too large|too complex/i,
  ],
  [
    'a write into the context',
    'SEC("xdp") int x(struct xdp_md *ctx) { ctx->ingress_ifindex = 4; return 2; }\n',
    /invalid bpf_context access off=12 size=4/,
  ],
  [
    'a helper that XDP does not have',
    'SEC("xdp") int x(struct xdp_md *ctx) { __u32 to; return bpf_skb_load_bytes((struct __sk_buff *)ctx, 0, &to, 4); }\n',
    /program of this type cannot use helper bpf_skb_load_bytes|unknown func bpf_skb_load_bytes/,
  ],
  [
    'a loop of too many turns',
    `SEC("xdp") int x(struct xdp_md *ctx) {
  volatile __u32 stack = 0;
  for (__u32 at = 0; at < 10000000; at++) stack += at;
  return stack;
}\n`,
    /BPF program is too large\. Processed 1000001 insn/,
  ],
]

function refusal(work: () => { close(): void }): DomainError {
  try {
    work().close()
  } catch (error) {
    if (error instanceof DomainError) return error
    throw error
  }
  throw new Error('the kernel accepted the program')
}
const refusalOf = (bytes: Buffer, entry: string): DomainError => refusal(() => loadEntry(bytes, entry))

describeAsRoot('a refusal by the verifier', () => {
  test.each(REFUSED)('of %s leads with the reason and keeps the log', (_, source, reason) => {
    const error = refusalOf(compileBpf(INCLUDES + source), 'x')
    expect(error).toMatchObject({ code: 'verifier_refused', message: expect.stringMatching(reason) })
    expect(error.message).toMatch(/^x: [^\n]{10,600}$/)
    const [said = ''] = error.message.slice('x: '.length).split(' | ')
    expect(error.log?.split('\n').map((line) => line.trim())).toContain(said)
    expect(error.log).toMatch(/processed \d+ insns/) // its last line
  })

  test('names the instruction and the source line', () => {
    const error = refusalOf(compileSource('unbounded'), 'unbounded')
    expect(error.message).toMatch(
      /^unbounded: invalid access to packet.* \| at \d+: \(71\) r0 = .* \| ; return data\[3\];/,
    )
    // whole: from the first instruction on
    expect(error.log).toMatch(/^0: \(/m)
  })

  test('is about the stack when the frames of a call chain are too large together', () => {
    const deep = (sub: number): Buffer => compileSource('depth', { defines: { MAIN: 256, SUB: sub } })
    expect(refusalOf(deep(264), 'depth')).toMatchObject({
      code: 'chain_stack',
      message: expect.stringMatching(/^depth: combined stack size of 2 calls is 5\d\d\. Too large/),
    })
    loadEntry(deep(256), 'depth').close()
  })

  test('is as clear for instructions that come from no object', () => {
    const leak = encode(OP.EXIT, 0, 0, 0, 0)
    const load = (code: Buffer): { close(): void } =>
      loadXdpProgram({ name: 'chain', code, license: 'GPL', flags: 0 })
    expect(refusal(() => load(leak))).toMatchObject({
      code: 'verifier_refused',
      message: 'chain: R0 !read_ok | at 0: (95) exit',
      log: expect.stringMatching(/^0: .*\n(.*\n)*processed 1 insns/),
    })
    load(Buffer.concat([encode(OP.MOV64_K, 0, 0, 0, 2), leak])).close()
  })
})

describe('the useful lines of a log', () => {
  test.each([
    ['nothing', '', ''],
    ['statistics only', 'processed 3 insns (limit 1000000)\nstack depth 8\n', ''],
    [
      'one line without a walk',
      'back-edge from insn 3 to 1\nprocessed 0 insns\n',
      'back-edge from insn 3 to 1',
    ],
  ])('of %s', (_, log, useful) => expect(usefulLines(log)).toBe(useful))

  test('a program that is too large is no matter of its stack, whatever its variables are called', () => {
    const log = '; int stack = 0; @ x.c:3\nBPF program is too large. Processed 1000001 insn\nstack depth 8\n'
    expect(verifierError('x', log).code).toBe('verifier_refused')
    const stack = 'combined stack size of 2 calls is 528. Too large\nprocessed 9 insns\n'
    expect(verifierError('x', stack).code).toBe('chain_stack')
  })
})
