import { programInfo, tracingLinkInfo } from './bpf-info.ts'
import { linkById, linkIds } from './bpf-link.ts'
import { programIfThere } from './bpf-program.ts'

/** BPF_PROG_TYPE_EXT, linux/bpf.h: it runs in place of a global function of another program. */
const PROG_TYPE_EXT = 28

/** A program that runs in place of a function of another. */
interface Extension {
  readonly programId: number
  readonly targetId: number
}

/**
 * The programs of this kernel that replace a function of one of `targets`, ids of programs: what is replaced keeps its tag,
 * maps and instructions, and only the link says so. Programs that trace functions (fentry, fexit) replace none, and are not
 * among them. Throws KernelError.
 */
export function extensionsOf(targets: ReadonlySet<number>): Extension[] {
  return [...linkIds()].flatMap((id) => {
    using link = linkById(id)
    const found = link && tracingLinkInfo(link)
    if (found === undefined || !targets.has(found.targetId)) return []
    using program = programIfThere(found.programId)
    return program !== undefined && programInfo(program).type === PROG_TYPE_EXT ? [found] : []
  })
}
