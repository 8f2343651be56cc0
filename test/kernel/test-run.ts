import { attr } from '../../src/kernel/bpf-attr.ts'
import type { OpenFile } from '../../src/kernel/fd.ts'
import { bpf, KernelError } from '../../src/kernel/libc.ts'
import type { TestHook } from './programs.ts'

/** BPF_PROG_TEST_RUN, linux/bpf.h. */
const BPF_PROG_TEST_RUN = 10
const [EINTR, TRIES] = [4, 10] as const
/** struct xdp_md and struct __sk_buff, linux/bpf.h. */
const CONTEXT_BYTES = { xdp: 24, 'tc-ingress': 192 } as const
/** Fields of struct __sk_buff that BPF_PROG_TEST_RUN takes in, by offset and bytes; all others must be zero. */
const SKB_FIELDS = [
  [8, 4], // mark
  [32, 4], // priority
  [36, 8], // ingress_ifindex, ifindex
  [48, 20], // cb
  [152, 8], // tstamp
] as const
/** A program may grow a packet by its headroom in front and by what is left of its last page behind. */
const MOST_GROWTH_BYTES = 4096

/** A packet between two programs: its bytes, and what the kernel hands in and out of its context. */
export interface Packet {
  /** For XDP, metadata and packet. */
  readonly bytes: Buffer
  /**
   * struct xdp_md or __sk_buff as the kernel gave it back, or undefined at first. Of xdp_md, `data` is the length of the
   * metadata, `data_end` that of metadata and first buffer. Of __sk_buff, tc_index, queue_mapping, tc_classid, the type
   * of the time stamp and the outermost VLAN tag are not there: they are lost between one run and the next.
   */
  readonly context?: Buffer
}

/**
 * Runs a program once on a packet; the result's packet can go to the next program. XDP takes 14 to about 73,000 bytes,
 * the first 3,520 of them in the first buffer whatever the program's flags; TC takes 14 to 3,712. Throws KernelError.
 */
export function runOn(
  program: OpenFile,
  hook: TestHook,
  packet: Packet,
): { verdict: number; packet: Required<Packet> } {
  const out = Buffer.alloc(packet.bytes.length + MOST_GROWTH_BYTES)
  const contextOut = Buffer.alloc(CONTEXT_BYTES[hook])
  const contextIn = contextFor(hook, packet)
  const request = attr(80, [
    [0, 'u32', program.number],
    [8, 'u32', packet.bytes.length],
    [12, 'u32', out.length],
    [16, 'pointer', packet.bytes],
    [24, 'pointer', out],
    [32, 'u32', 1],
    [40, 'u32', contextIn.length],
    [44, 'u32', contextOut.length],
    [48, 'pointer', contextIn],
    [56, 'pointer', contextOut],
  ])
  let result = bpf(BPF_PROG_TEST_RUN, request)
  for (let tries = 1; result === -EINTR && tries < TRIES; tries++) result = bpf(BPF_PROG_TEST_RUN, request)
  if (result < 0) throw new KernelError(`run on ${packet.bytes.length} bytes`, -result)
  return {
    verdict: request.readUInt32LE(4),
    packet: { bytes: out.subarray(0, request.readUInt32LE(12)), context: contextOut },
  }
}

/** What the kernel accepts of a context; without one, XDP wants to know at least where the packet ends. */
function contextFor(hook: TestHook, { bytes, context }: Packet): Buffer {
  const given = Buffer.alloc(CONTEXT_BYTES[hook])
  if (hook === 'xdp' && context !== undefined) context.copy(given, 0, 0, 8)
  else if (hook === 'xdp') given.writeUInt32LE(bytes.length, 4)
  else if (context !== undefined)
    for (const [offset, size] of SKB_FIELDS) context.copy(given, offset, offset, offset + size)
  return given
}
