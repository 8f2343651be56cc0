import { encode, OP } from '../bytecode/instruction.ts'
import { programTag, TAG_HASHES, type TagHash } from '../bytecode/program-tag.ts'
import { DomainError } from '../domain/errors.ts'
import { programInfo } from './bpf-info.ts'
import { loadXdpProgram } from './bpf-program.ts'

/** r0 = XDP_PASS; exit. */
const PASSES = Buffer.concat([encode(OP.MOV64_K, 0, 0, 0, 2), encode(OP.EXIT, 0, 0, 0, 0)])

let known: TagHash | undefined

/** What this kernel makes tags by, found out by a program that is loaded and let go. Throws KernelError. */
export function tagHash(): TagHash {
  if (known !== undefined) return known
  using program = loadXdpProgram({ name: 'hl_tag', code: PASSES, license: 'GPL', flags: 0 })
  const { tag } = programInfo(program)
  known = TAG_HASHES.find((hash) => programTag(PASSES, hash) === tag)
  if (known === undefined)
    throw new DomainError('kernel_refused', 'this kernel makes tags of programs in a way that is not known')
  return known
}
