import { readFileSync } from 'node:fs'
import { arch, availableParallelism, release } from 'node:os'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { DoctorFlags } from '../cli/service-commands.ts'
import { DomainError } from '../domain/errors.ts'
import { CHECK_NAMES, type HostFacts, type HostReport } from '../domain/host-check.ts'
import { askInterfaces, type Prober, runProbes } from '../kernel/probe-runner.ts'

/** The process that probes: its source in a checkout, else compiled beside this file. */
const CHILD = new URL(`./probe-child${extname(fileURLToPath(import.meta.url))}`, import.meta.url)
const PROBER: Prober = [process.execPath, fileURLToPath(CHILD)]

/**
 * Finds out what this host has and lacks to run the agent, and which interfaces it has. Nothing is changed or left behind:
 * all that touches the kernel is done by a process that ends. Throws `not_found` when there is no namespace of that name.
 */
export async function examineHost({ netns, bpffs }: DoctorFlags): Promise<HostReport> {
  const listed = await askInterfaces(PROBER, netns).catch((error: unknown) => {
    if (error instanceof DomainError && error.code === 'kernel_refused') return error.message
    throw error
  })
  const findings = await runProbes(PROBER, CHECK_NAMES, bpffs)
  return {
    facts: hostFacts(),
    findings,
    ...(typeof listed === 'string' ? { interfaces: [], interfacesError: listed } : { interfaces: listed }),
  }
}

const hostFacts = (): HostFacts => ({
  kernel: release(),
  arch: arch(),
  cores: availableParallelism(),
  unprivilegedBpfDisabled: readNumber('/proc/sys/kernel/unprivileged_bpf_disabled'),
})

function readNumber(path: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(path, 'utf8'), 10)
  } catch {
    return undefined // this kernel has no such setting
  }
}
