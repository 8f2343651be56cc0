import { HOOKS, type Hook } from '../domain/hook.ts'
import type { AttachedProgram } from '../domain/running.ts'
import type { NetworkInterface } from '../ports/chain-kernel.ts'
import { programInfo } from './bpf-info.ts'
import { programIfThere } from './bpf-program.ts'
import { inside } from './link-hook.ts'
import type { NetnsPath } from './netns.ts'
import { filterQdisc, tcFilters } from './tc-filters.ts'
import { tcxPrograms, tcxSupported } from './tcx-hook.ts'
import { programsOn } from './xdp-hook.ts'

/**
 * The programs on the hooks of an interface, whoever attached them: by XDP in any mode, by TCX, and as filters of clsact, which
 * run behind those of TCX. None when the interface, or its network namespace, is gone. Programs that are actions of other
 * filters are not looked for. Throws KernelError.
 */
export function attachedPrograms(
  netns: NetnsPath,
  { name: where, ifindex }: NetworkInterface,
): AttachedProgram[] {
  const found = inside({ ifindex, netns }, () =>
    HOOKS.flatMap((hook) => idsOn(ifindex, hook).map((id) => ({ hook, id }))),
  )
  return (found ?? []).flatMap(({ hook, id }) => {
    using program = programIfThere(id)
    if (program === undefined) return [] // it was replaced meanwhile
    const { tag, name } = programInfo(program)
    return [{ interface: where, hook, programId: id, tag, name }]
  })
}

function idsOn(ifindex: number, hook: Hook): number[] {
  if (hook === 'xdp') return Object.values(programsOn(ifindex) ?? {}).filter((id) => id !== 0)
  // an ingress qdisc would show its filters as those of egress too
  const filtered = hook === 'tc-ingress' || filterQdisc(ifindex) === 'clsact'
  const filters = filtered ? tcFilters(ifindex, hook).map(({ programId }) => programId) : []
  return [...(tcxSupported() ? tcxPrograms(ifindex, hook) : []), ...filters.filter((id) => id !== 0)]
}
