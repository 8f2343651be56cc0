import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { beforeAll, expect, test } from 'vitest'
import { mapInfo } from '../../src/kernel/bpf-info.ts'
import { lookupElement } from '../../src/kernel/bpf-map.ts'
import { updateArrayOfMaps, waitForPackets } from '../../src/kernel/rcu.ts'
import { compileBpf } from '../support/compile-bpf.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { bpfDescriptors } from './descriptors.ts'
import { loadOriginal } from './load-original.ts'

/** Runs for about a second, and says when it began and when it has ended. */
const LONG = `#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
volatile __u64 begun, ended, sum;
static long inner(__u64 at, void *none) { sum += at; return 0; }
static long outer(__u64 at, void *none) { bpf_loop(1 << 22, inner, 0, 0); return 0; }
SEC("xdp") int x(struct xdp_md *ctx) {
  begun = 1;
  bpf_loop(24, outer, 0, 0);
  ended = 1;
  return XDP_PASS;
}
`

describeAsRoot('waiting for packets on their way', () => {
  let bytes: Buffer
  beforeAll(() => {
    bytes = compileBpf(LONG)
  })

  test.each([
    ['by a memory barrier', waitForPackets],
    ['by an array of maps', updateArrayOfMaps],
  ])('%s lasts until a program that was running has ended', async (_, wait) => {
    // on a busy machine the program may have ended before one looks: then there was nothing to wait for
    for (let attempt = 1; ; attempt++) {
      const { running, ended } = await waitWhileRunning(bytes, wait)
      if (running) {
        expect(ended).toBe(true)
        return
      }
      expect(attempt, 'it ended each time before one looked').toBeLessThan(30)
    }
  })

  test('leaves nothing open', () => {
    waitForPackets()
    const before = bpfDescriptors()
    waitForPackets()
    updateArrayOfMaps()
    expect(bpfDescriptors()).toEqual(before)
  })
})

/** Waits while a program runs in another thread: whether it still ran when the wait began, and whether it had ended after. */
async function waitWhileRunning(
  bytes: Buffer,
  wait: () => void,
): Promise<{ running: boolean; ended: boolean }> {
  using original = loadOriginal(bytes, { entry: 'x', hook: 'xdp' })
  const map = { number: original.maps.get('.bss') ?? -1 }
  const { valueBytes } = mapInfo(map)
  const flags = (): { begun: boolean; ended: boolean } => {
    const value = lookupElement(map, Buffer.alloc(4), valueBytes) ?? Buffer.alloc(valueBytes)
    const word = (at: number): boolean => value.readBigUInt64LE(at) === 1n
    return { begun: word(0), ended: word(8) }
  }
  const worker = new Worker(new URL('./run-once.ts', import.meta.url), {
    workerData: original.program.number,
  })
  const exited = once(worker, 'exit')
  while (!flags().begun) await new Promise((resolve) => setTimeout(resolve, 1))
  const running = !flags().ended
  wait()
  const { ended } = flags()
  await exited
  return { running, ended }
}
