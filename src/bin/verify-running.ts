import { existsSync } from 'node:fs'
import { arch, release } from 'node:os'
import { rememberVerdicts } from '../agent/verdicts.ts'
import { verifyRunning } from '../agent/verify-running.ts'
import { policyInForce } from '../cli/policy-in-force.ts'
import type { VerifyRunningFlags } from '../cli/service-commands.ts'
import { DomainError } from '../domain/errors.ts'
import type { VerifiedNode } from '../domain/running.ts'
import { chainExaminer } from '../kernel/chain-examiner.ts'
import { childLoader } from '../kernel/child-loader.ts'
import { netnsPath } from '../kernel/netns.ts'
import { readAgentState } from '../store/agent-state.ts'
import { LOADER } from './loader-module.ts'

/**
 * Verifies what an agent of this host runs, beside it. Throws `needs_root`, `not_found` where no agent has run with the
 * state directory or its network namespace is gone, what the policy and the state directory throw.
 */
export async function verifyAgent({ state: dir, trust, bpffs }: VerifyRunningFlags): Promise<VerifiedNode> {
  if (process.getuid?.() !== 0)
    throw new DomainError('needs_root', 'what the kernel runs is told to root, and to nobody else')
  const state = readAgentState(dir)
  const identity = await state.identity()
  if (identity === undefined)
    throw new DomainError('not_found', `no agent has run with the state directory ${dir}: name it by --state`)
  const policy = await policyInForce(trust, state)
  // an agent from before its namespace was kept told it of each chain
  const netns = identity.netns ?? (await state.chains())[0]?.netns ?? ''
  const examined = { bpffs, agent: identity.name, netns: netns === '' ? undefined : netnsPath(netns) }
  const loader = childLoader(LOADER)
  try {
    const kernel = release()
    const running = await verifyRunning({
      ...{ state, policy, kernelRelease: kernel, arch: arch(), clock: () => new Date() },
      kernelBtf: existsSync('/sys/kernel/btf/vmlinux'),
      verdicts: rememberVerdicts(),
      labels: identity.labels,
      examiner: chainExaminer({ ...examined, loader }),
    })
    return { node: identity.name, kernel, policy: trust, at: new Date().toISOString(), ...running }
  } finally {
    loader.close()
  }
}
