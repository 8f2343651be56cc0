import { attr, textOf } from './bpf-attr.ts'
import type { OpenFile } from './fd.ts'
import { bpf, KernelError } from './libc.ts'

/** BPF_OBJ_GET_INFO_BY_FD, linux/bpf.h. */
const BPF_OBJ_GET_INFO_BY_FD = 15

function infoOf(fd: OpenFile, bytes: number): Buffer {
  const info = Buffer.alloc(bytes)
  const request = attr(16, [
    [0, 'u32', fd.number],
    [4, 'u32', bytes],
    [8, 'pointer', info],
  ])
  const result = bpf(BPF_OBJ_GET_INFO_BY_FD, request)
  if (result < 0) throw new KernelError('read a BPF object’s information', -result)
  return info
}

/** struct bpf_prog_info, its first fields. `tag` is the kernel's digest of the loaded instructions, 16 hex digits. */
export function programInfo(fd: OpenFile): { id: number; tag: string; name: string } {
  const info = infoOf(fd, 232)
  return { id: info.readUInt32LE(4), tag: info.toString('hex', 8, 16), name: textOf(info.subarray(64, 80)) }
}

/** struct bpf_map_info, its first fields. */
export function mapInfo(fd: OpenFile): {
  type: number
  id: number
  keyBytes: number
  valueBytes: number
  maxEntries: number
  flags: number
} {
  const info = infoOf(fd, 88)
  return {
    type: info.readUInt32LE(0),
    id: info.readUInt32LE(4),
    keyBytes: info.readUInt32LE(8),
    valueBytes: info.readUInt32LE(12),
    maxEntries: info.readUInt32LE(16),
    flags: info.readUInt32LE(20),
  }
}

/** What struct bpf_link_info says of a link on a network interface. */
export interface LinkInfo {
  readonly id: number
  readonly programId: number
  /** 0 once the interface is gone. */
  readonly ifindex: number
}

/** struct bpf_link_info of an XDP or TCX link: `xdp.ifindex` and `tcx.ifindex` are both at 16. Throws KernelError. */
export function linkInfo(fd: OpenFile): LinkInfo {
  const info = infoOf(fd, 64)
  return { id: info.readUInt32LE(4), programId: info.readUInt32LE(8), ifindex: info.readUInt32LE(16) }
}

/** {@link linkInfo} of an XDP link. */
export function xdpLinkInfo(fd: OpenFile): LinkInfo {
  return linkInfo(fd)
}
