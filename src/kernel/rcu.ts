import { attr } from './bpf-attr.ts'
import { Fd } from './fd.ts'
import { bpf, KernelError, membarrier } from './libc.ts'

/** enum membarrier_cmd, linux/membarrier.h. */
const MEMBARRIER_CMD_GLOBAL = 1
/** enum bpf_cmd and bpf_map_type, linux/bpf.h. */
const [BPF_MAP_CREATE, BPF_MAP_UPDATE_ELEM] = [0, 2] as const
const [ARRAY, ARRAY_OF_MAPS] = [2, 12] as const

/**
 * Returns when no packet is on its way any more through a program that was replaced before the call: after a grace period
 * of RCU. membarrier(2) waits for one; where it cannot (nohz_full), the update of an array of maps does (kernel/bpf/syscall.c,
 * maybe_wait_bpf_programs). Throws KernelError.
 */
export function waitForPackets(): void {
  if (!membarrier(MEMBARRIER_CMD_GLOBAL)) updateArrayOfMaps()
}

/** Waits by the update of a map in a map; exported for its test. Throws KernelError. */
export function updateArrayOfMaps(): void {
  using inner = createArray(ARRAY, undefined)
  using outer = createArray(ARRAY_OF_MAPS, inner)
  const [key, value] = [Buffer.alloc(4), Buffer.alloc(4)]
  value.writeUInt32LE(inner.number)
  const result = bpf(
    BPF_MAP_UPDATE_ELEM,
    attr(32, [
      [0, 'u32', outer.number],
      [8, 'pointer', key],
      [16, 'pointer', value],
    ]),
  )
  if (result < 0) throw new KernelError('wait for packets on their way', -result)
}

/** An array of one value of 4 bytes; one of maps takes those that are like `inner`. */
function createArray(type: number, inner: Fd | undefined): Fd {
  const result = bpf(
    BPF_MAP_CREATE,
    attr(72, [
      [0, 'u32', type],
      [4, 'u32', 4],
      [8, 'u32', 4],
      [12, 'u32', 1],
      [20, 'u32', inner?.number ?? 0],
    ]),
  )
  if (result < 0) throw new KernelError('create a map', -result)
  return new Fd(result)
}
