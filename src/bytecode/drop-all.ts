import type { Hook } from '../domain/hook.ts'
import { type Body, readBody } from './body.ts'

/** XDP_DROP and TC_ACT_SHOT (linux/bpf.h, linux/pkt_cls.h). */
const DROP = { xdp: 1, tc: 2 } as const

/** `r0 = verdict; exit`, as two instructions of 8 bytes (linux/bpf.h: BPF_ALU64 | BPF_MOV | BPF_K, BPF_JMP | BPF_EXIT). */
export function dropAll(hook: Hook): Body {
  const code = Buffer.alloc(16)
  code.writeUInt8(0xb7, 0)
  code.writeInt32LE(hook === 'xdp' ? DROP.xdp : DROP.tc, 4)
  code.writeUInt8(0x95, 8)
  return readBody(code, 'drop_all')
}
