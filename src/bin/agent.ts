import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { arch, release } from 'node:os'
import { join } from 'node:path'
import { Agent, type AgentParts } from '../agent/agent.ts'
import { EXPOSITION_TYPE, exposition } from '../agent/exposition.ts'
import { keepNodeKeyYoung } from '../agent/node-key.ts'
import { type Rejoining, type RejoinParts, rejoinWhereRefused } from '../agent/rejoin.ts'
import { rememberVerdicts } from '../agent/verdicts.ts'
import type { Context } from '../cli/io.ts'
import { readPolicy } from '../cli/policy-file.ts'
import type { AgentFlags } from '../cli/service-commands.ts'
import { printable } from '../cli/terminal.ts'
import { DomainError } from '../domain/errors.ts'
import type { Identity } from '../domain/node.ts'
import { serveMetrics } from '../http/metrics-server.ts'
import type { Listening } from '../http/plain-server.ts'
import { ensureBpffs } from '../kernel/bpffs.ts'
import { hookChains } from '../kernel/chains.ts'
import { childLoader } from '../kernel/child-loader.ts'
import { directLoader } from '../kernel/loader.ts'
import { type NetnsPath, netnsPath } from '../kernel/netns.ts'
import type { AgentState } from '../ports/agent-state.ts'
import { openAgentState } from '../store/agent-state.ts'
import { lockDirectory } from '../store/directory-lock.ts'
import { makeDirectory } from '../store/make-directory.ts'
import { identify, nodeName, placed, registryOf, rotateKey } from './agent-identity.ts'
import { LOADER } from './loader-module.ts'

/**
 * Runs the agent until SIGTERM or SIGINT, which leave its chains in place; with `detach`, removes all that it owns and
 * returns; with `rotateKey`, replaces its key and returns. Throws `needs_root`, `state_in_use`, `not_found` (namespace), `invalid_policy`, the codes of enrolment.
 */
export async function runAgent(flags: AgentFlags, context: Context, version: string): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new DomainError('needs_root', 'the agent loads programs into the kernel, which needs root')
  // what is pinned can be detached even when its namespace is gone
  const netns = flags.netns === undefined || flags.detach ? undefined : netnsPath(flags.netns)
  const trust = policyFile(flags.trust)
  const say = sayer(context)
  if (flags.detach) return await detach(flags, version, say)
  await trust.policy() // say what is wrong with it before anything is made
  const state = await openAgentState(flags.state)
  const lock = await lockDirectory(flags.state)
  try {
    if (flags.rotateKey) return await rotateKey(flags, state, context, say)
    ensureBpffs(flags.bpffs)
    const { identity: joined, rejoining } = await identify(flags, state, version, say)
    const identity = await placed(joined, flags, state)
    const ownLock = await lockName(identity.name)
    try {
      await follow(flags, { identity, rejoining }, state, { netns, ...trust, say, version })
    } finally {
      await ownLock.release()
    }
  } finally {
    await lock.release()
  }
}

/** Runs the agent until it is told to stop. */
async function follow(
  flags: AgentFlags,
  { identity, rejoining }: Awaited<ReturnType<typeof identify>>,
  state: AgentState,
  {
    netns,
    policy,
    policyStamp,
    say,
    version,
  }: Pick<AgentParts, 'policy' | 'policyStamp' | 'say' | 'version'> & { netns: NetnsPath },
): Promise<void> {
  const loader = childLoader(LOADER)
  const registry = registryOf(flags, identity)
  const clock = () => new Date()
  const agent = new Agent({
    kernel: hookChains({ bpffs: flags.bpffs, agent: identity.name, netns, loader }),
    state,
    registry,
    policy,
    policyStamp,
    labels: identity.labels,
    netns: flags.netns ?? '',
    kernelRelease: release(),
    kernelBtf: existsSync('/sys/kernel/btf/vmlinux'),
    arch: arch(),
    version,
    clock,
    verdicts: rememberVerdicts(),
    say,
    confirm_ms: flags.confirm * 1000,
  })
  const stop = new AbortController()
  const stopped = once(stop.signal, 'abort')
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  const keeping = keepKnown({ state, registry, clock, say }, rejoining, flags.keyAge, stop.signal)
  const metrics = await serveMetricsOf(agent, identity, flags)
  if (metrics !== undefined) say(`metrics: ${metrics.url}/metrics`)
  await agent.start()
  await stopped
  await Promise.all([agent.close(), keeping, metrics?.close()])
  loader.close()
  say('stopped; chains stay as they are (remove them with `hookline agent --detach`)')
}

/** Sees to it, until `signal`, that the registry knows the node's key, and that this gets never too old. */
async function keepKnown(
  parts: RejoinParts,
  rejoining: Rejoining | undefined,
  age_s: number,
  signal: AbortSignal,
): Promise<void> {
  if (rejoining !== undefined) await rejoinWhereRefused(parts, rejoining, signal)
  await keepNodeKeyYoung(parts, age_s, signal)
}

/** Serves what the agent reports as metrics, where that is asked for. */
async function serveMetricsOf(
  agent: Agent,
  { name }: Identity,
  { metrics }: AgentFlags,
): Promise<Listening | undefined> {
  if (metrics === undefined) return undefined
  const text = (): string | undefined => agent.observed && exposition(agent.observed, name)
  return serveMetrics(text, EXPOSITION_TYPE, metrics)
}

/**
 * Takes a node's name on this host: pins are found by it, so two agents of one name would take each other's chains for
 * their own, whatever their state directories. Throws `state_in_use`.
 */
async function lockName(name: string): Promise<{ release(): Promise<void> }> {
  const dir = join('/run/hookline', name)
  await makeDirectory(dir, 0o700)
  return lockDirectory(dir)
}

/** Lines for whoever watches; JSON lines with --json. */
const sayer =
  ({ io, json }: Context) =>
  (text: string): void => {
    const line = printable(text) // it may quote a registry: no line of its making, no command to the terminal
    const at = new Date().toISOString()
    io.write(json ? `${JSON.stringify({ at, message: line })}\n` : `${at} ${line}\n`)
  }

/** How a node comes by its policy: read anew each time, so that an edit counts from the next change on. */
function policyFile(path: string): Pick<AgentParts, 'policy' | 'policyStamp'> {
  let files: readonly string[] = [path]
  return {
    policy: async () => {
      const { policy, paths } = await readPolicy(path).catch((thrown: unknown) => {
        if (!(thrown instanceof DomainError) || thrown.code !== 'file_unreadable') throw thrown
        const why = `${thrown.message}: without one nothing is trusted`
        throw new DomainError('file_unreadable', why, { cause: thrown })
      })
      files = paths
      return policy
    },
    policyStamp: async () => files.map(stampOf).reduce(async (a, b) => `${await a} ${await b}`),
  }
}

/** Tells one state of a file from the next: an editor writes anew or replaces. */
async function stampOf(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined)
  return found === undefined ? 'missing' : `${found.ino} ${found.size} ${found.mtimeMs}`
}

/** Removes all that an agent owns: the one whose state directory is given, or, without one, the one of `--name`. */
async function detach(flags: AgentFlags, version: string, say: (line: string) => void): Promise<void> {
  const known = existsSync(join(flags.state, 'identity.json'))
  if (!known && flags.name === undefined)
    throw new DomainError(
      'not_found',
      `no agent has run with the state directory ${flags.state}: name its directory by --state, or the node by --name`,
    )
  const state = known ? await openAgentState(flags.state) : undefined
  const lock = known ? await lockDirectory(flags.state) : undefined
  try {
    const name = (await state?.identity())?.name ?? nodeName(flags)
    const ownLock = await lockName(name)
    try {
      const kernel = hookChains({ bpffs: flags.bpffs, agent: name, netns: undefined, loader: directLoader })
      const remembered = new Map((await state?.chains())?.map((chain) => [chain.key, chain]))
      const chains = kernel.pinned()
      for (const { key } of chains) {
        kernel.detach(key)
        await state?.removeChain(key)
        const at = remembered.get(key)
        say(`detached ${at === undefined ? key : `${at.interface} (${at.hook})`}`)
      }
      kernel.collectMaps(new Set())
      // who asks for the status on this host must not be shown what ran
      const at = new Date().toISOString()
      await state?.saveStatus({ at, agent: version, functions: [], chains: [], errors: [] })
      say(`detached ${chains.length} ${chains.length === 1 ? 'chain' : 'chains'} of ${name}; no pin is left`)
    } finally {
      await ownLock.release()
    }
  } finally {
    await lock?.release()
  }
}
