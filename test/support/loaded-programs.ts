import { attr } from '../../src/kernel/bpf-attr.ts'
import { programInfo } from '../../src/kernel/bpf-info.ts'
import { programById } from '../../src/kernel/bpf-program.ts'
import { bpf } from '../../src/kernel/libc.ts'

/** BPF_PROG_GET_NEXT_ID, linux/bpf.h. */
const BPF_PROG_GET_NEXT_ID = 11

/** Tags of all programs that the kernel holds, attached or not: one that only a timer would call is among them. */
export function loadedTags(): Set<string> {
  const tags = new Set<string>()
  for (let id = 0; ; ) {
    const request = attr(12, [[0, 'u32', id]])
    if (bpf(BPF_PROG_GET_NEXT_ID, request) < 0) return tags
    id = request.readUInt32LE(4)
    try {
      using program = programById(id)
      tags.add(programInfo(program).tag)
    } catch {} // it went meanwhile
  }
}
