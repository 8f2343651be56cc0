import { attr, textOf } from './bpf-attr.ts'
import type { OpenFile } from './fd.ts'
import { addressOf, bpf, KernelError } from './libc.ts'

/** BPF_OBJ_GET_INFO_BY_FD, linux/bpf.h. */
const BPF_OBJ_GET_INFO_BY_FD = 15

const PROG_INFO_BYTES = 232

function infoOf(fd: OpenFile, bytes: number): Buffer {
  const info = Buffer.alloc(bytes)
  readInfo(fd, info)
  return info
}

/** Fills `info`, in which pointers and the room behind them may be set. */
function readInfo(fd: OpenFile, info: Buffer): void {
  const request = attr(16, [
    [0, 'u32', fd.number],
    [4, 'u32', info.length],
    [8, 'pointer', info],
  ])
  const result = bpf(BPF_OBJ_GET_INFO_BY_FD, request)
  if (result < 0) throw new KernelError('read a BPF object’s information', -result)
}

/** struct bpf_prog_info, its first fields. `tag` is the kernel's digest of the loaded instructions, 16 hex digits. */
export function programInfo(fd: OpenFile): { type: number; id: number; tag: string; name: string } {
  const info = infoOf(fd, PROG_INFO_BYTES)
  const [type, id] = [info.readUInt32LE(0), info.readUInt32LE(4)]
  return { type, id, tag: info.toString('hex', 8, 16), name: textOf(info.subarray(64, 80)) }
}

/**
 * Ids of the maps that a program names, in the order in which its instructions first do (`map_ids` of struct
 * bpf_prog_info); undefined when it names more than `most`. Throws KernelError.
 */
export function programMaps(fd: OpenFile, most: number): number[] | undefined {
  const ids = Buffer.alloc(4 * most)
  const info = Buffer.alloc(PROG_INFO_BYTES)
  info.writeUInt32LE(most, 52)
  info.writeBigUInt64LE(addressOf(ids), 56)
  readInfo(fd, info)
  const count = info.readUInt32LE(52)
  if (count > most) return undefined
  return Array.from({ length: count }, (_, at) => ids.readUInt32LE(at * 4))
}

/**
 * A program's instructions as the verifier left them, its maps named by their ids (`xlated_prog_insns` of struct
 * bpf_prog_info); undefined where the kernel does not show them, having blinded their constants. Throws KernelError.
 */
export function verifiedCode(fd: OpenFile): Buffer | undefined {
  const code = Buffer.alloc(infoOf(fd, PROG_INFO_BYTES).readUInt32LE(20))
  const info = Buffer.alloc(PROG_INFO_BYTES)
  info.writeUInt32LE(code.length, 20)
  info.writeBigUInt64LE(addressOf(code), 32)
  readInfo(fd, info)
  return info.readBigUInt64LE(32) === 0n ? undefined : code
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

/** BPF_LINK_TYPE_TRACING, enum bpf_link_type, linux/bpf.h. */
const LINK_TYPE_TRACING = 2

/**
 * struct bpf_link_info of a tracing link, by which programs are also replaced: `programId` of what it attaches, `targetId` of
 * the program, or BTF, to one of whose functions. Undefined for another kind of link. Throws KernelError.
 */
export function tracingLinkInfo(fd: OpenFile): { programId: number; targetId: number } | undefined {
  const info = infoOf(fd, 64)
  if (info.readUInt32LE(0) !== LINK_TYPE_TRACING) return undefined
  return { programId: info.readUInt32LE(8), targetId: info.readUInt32LE(20) }
}

/** {@link linkInfo} of an XDP link. */
export function xdpLinkInfo(fd: OpenFile): LinkInfo {
  return linkInfo(fd)
}
