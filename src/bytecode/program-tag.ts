import { createHash } from 'node:crypto'
import { decodeAt, IMM64_KIND, OP, SLOT_BYTES } from './instruction.ts'

/** What a kernel makes tags by: SHA-256 since Linux 6.18, SHA-1 before. Distributions backport: ask the kernel. */
export const TAG_HASHES = ['sha256', 'sha1'] as const
export type TagHash = (typeof TAG_HASHES)[number]

const TAG_BYTES = 8

/**
 * The tag that a kernel gives a program: the first 8 bytes, in hex, of the digest of its instructions as they are handed
 * over, before the kernel's verifier changes any (bpf_prog_calc_tag, kernel/bpf/core.c). Which maps it names is no part of
 * it: descriptors mean nothing elsewhere, so they count as 0, and so do offsets into a map's value.
 */
export function programTag(code: Buffer, hash: TagHash): string {
  const hashed = Buffer.from(code)
  for (let at = 0; at < code.length / SLOT_BYTES; at++) {
    const { code: op, src } = decodeAt(code, at)
    if (op !== OP.LD_IMM64) continue
    if (src === IMM64_KIND.MAP_FD || src === IMM64_KIND.MAP_VALUE)
      for (const slot of [at, at + 1]) hashed.writeInt32LE(0, slot * SLOT_BYTES + 4)
    at++
  }
  return createHash(hash)
    .update(hashed)
    .digest('hex')
    .slice(0, TAG_BYTES * 2)
}
