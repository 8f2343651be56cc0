import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ChainSet } from '../../src/agent/chain-set.ts'
import type { ReadyEntry } from '../../src/agent/instance.ts'
import type { WantedChain } from '../../src/agent/wanted-chain.ts'
import type { Hook } from '../../src/domain/hook.ts'
import { listNames, pinName, removeIfEmpty, removeTree } from '../../src/kernel/bpffs.ts'
import { hookChains } from '../../src/kernel/chains.ts'
import { childLoader } from '../../src/kernel/child-loader.ts'
import type { AgentState } from '../../src/ports/agent-state.ts'
import type { ChainKernel, ChainSite } from '../../src/ports/chain-kernel.ts'
import { openAgentState } from '../../src/store/agent-state.ts'
import { compileBpf } from '../compile-bpf.ts'
import { readyEntry } from '../lab/ready-entry.ts'
import type { Member } from './change.ts'
import { chainedInterface } from './road.ts'

export const BPFFS = '/sys/fs/bpf'
const LOADER = new URL('../../src/bin/loader.ts', import.meta.url)
const SOURCES = fileURLToPath(new URL('sources', import.meta.url))
const LABEL = 'cfg_label'

/** Which agent it is, and where its chain runs; as plain data, to be handed to a process. */
export interface HostPlace {
  readonly agent: string
  readonly stateDir: string
  /** The network namespace's file. */
  readonly netns: string
  readonly hook: Hook
  /** How a chain is attached to TC. */
  readonly tc: 'tcx' | 'clsact'
}

/** What an agent on a node works with, all of it the real thing. */
export interface Host extends Disposable {
  readonly chains: ChainSet
  readonly kernel: ChainKernel
  readonly state: AgentState
  readonly site: ChainSite
}

/** Opens an agent's state and kernel; what is pinned is left as it is, also at the end. */
export async function openHost({ agent, stateDir, netns, hook, tc }: HostPlace): Promise<Host> {
  const loader = childLoader(LOADER)
  const kernel = hookChains({ bpffs: BPFFS, agent, netns, loader, tc })
  const state = await openAgentState(stateDir)
  const chained = chainedInterface(hook)
  const at = kernel.interfaces().find(({ name }) => name === chained)
  if (at === undefined) throw new Error(`the namespace has no ${chained}`)
  return {
    chains: new ChainSet(kernel, state, netns, () => new Date()),
    kernel,
    state,
    site: { key: kernel.keyOf(at.ifindex, hook), hook, at, allowGeneric: false },
    [Symbol.dispose]: () => loader.close(),
  }
}

/** Folder of an agent's pins. */
export const pinsOf = (agent: string): string => join(BPFFS, 'hookline', pinName(agent))

/** Removes all that a soak pinned. Its link goes with the interface. */
export function removePins(agent: string): void {
  removeTree(pinsOf(agent))
  removeIfEmpty(join(BPFFS, 'hookline'))
}

/** Every pin below a folder, by its path in it. */
export function listPins(folder: string): string[] {
  // bpffs lists a folder's pins as files, and anything that lists nothing as one
  return listNames(folder).flatMap((name) => {
    const below = listBelow(join(folder, name))
    return below === undefined ? [name] : below.map((path) => join(name, path))
  })
}

function listBelow(path: string): string[] | undefined {
  try {
    return listPins(path)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOTDIR') return undefined
    throw error
  }
}

const compiled = new Map<string, Buffer>()

/** An entry as the agent would make it of a member of the chain. */
export function entryOf({ instance, program, release, label }: Member, hook: Hook): ReadyEntry {
  const name = `${program} ${release} ${hook}`
  const bytes =
    compiled.get(name) ??
    compileBpf(join(SOURCES, `${program}.bpf.c`), {
      defines: { RELEASE: release, ...(hook === 'xdp' ? {} : { TC: 1 }) },
      flags: ['-mcpu=v3'],
    })
  compiled.set(name, bytes)
  const version = `1.${release}.0`
  return readyEntry({ bytes, entry: program, hook, instance, version, variables: { [LABEL]: label } })
}

/** A chain as the agent would want it. */
const wantedOf = (members: readonly Member[], site: ChainSite): WantedChain => ({
  site,
  functions: [{ name: 'lab', revision: 1 }],
  entries: members.map((member) => entryOf(member, site.hook)),
})

/** What an agent does for one desired state, but that nothing waits: what ran two changes ago is long done. */
export async function change({ chains, site }: Host, members: readonly Member[]): Promise<void> {
  await chains.refresh()
  await chains.retire()
  const { failures } = await chains.bring([wantedOf(members, site)], false)
  const [failed] = failures
  if (failed !== undefined) throw failed.error
}
