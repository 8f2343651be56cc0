import { join } from 'node:path'
import { removeIfEmpty, removeTree } from '../../src/kernel/bpffs.ts'
import { hookChains } from '../../src/kernel/chains.ts'
import { childLoader } from '../../src/kernel/child-loader.ts'
import type { ChainKernel, ChainSite, EntryImage } from '../../src/ports/chain-kernel.ts'
import { Lab, type Namespace } from '../../tools/lab/namespaces.ts'
import { entryOf } from './forms.ts'
import { median } from './measure.ts'

const LOADER = new URL('../../src/bin/loader.ts', import.meta.url)
const ENTRIES = 20
const [COLD_BUILDS, CHANGES] = [5, 9]

/** How long an agent takes to build, in milliseconds; medians. */
export interface BuildTimes {
  /** A chain of 20 small programs of which nothing is loaded yet, the loading process not started either. */
  readonly coldBuildMs: number
  /** Exchanging one of its entries for another, and switching to it: the others are loaded, the loading process runs. */
  readonly changeMs: number
}

/** Times builds as the agent makes them, on a veth of a network namespace of its own, attached. Needs root. */
export async function measureBuilds(bpffs: string, agent: string): Promise<BuildTimes> {
  using lab = new Lab()
  const namespace = lab.namespace('node')
  lab.link({ namespace, interface: 'eth1' }, { namespace: lab.namespace('peer'), interface: 'eth1' })
  const cold: number[] = []
  const changes: number[] = []
  for (let build = 1; build <= COLD_BUILDS; build++) {
    using host = hostOf(bpffs, `${agent}-${build}`, namespace)
    const entries = Array.from({ length: ENTRIES }, (_, at) => entryOf('counter', at))
    cold.push(await milliseconds(() => host.kernel.build(host.site, 1, entries)))
    if (build < COLD_BUILDS) continue
    host.kernel.activate(host.site, 1)
    for (let change = 1; change <= CHANGES; change++)
      changes.push(await milliseconds(() => exchange(host, entries, change)))
  }
  return { coldBuildMs: median(cold), changeMs: median(changes) }
}

/** Puts another instance in the place of one entry, each time elsewhere. */
async function exchange({ kernel, site }: Host, entries: EntryImage[], change: number): Promise<void> {
  entries[(change * 7) % ENTRIES] = entryOf('counter', ENTRIES + change)
  await kernel.build(site, change + 1, entries)
  kernel.activate(site, change + 1)
}

async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

interface Host extends Disposable {
  readonly kernel: ChainKernel
  readonly site: ChainSite
}

function hostOf(bpffs: string, agent: string, namespace: Namespace): Host {
  const loader = childLoader(LOADER)
  const kernel = hookChains({ bpffs, agent, netns: namespace.path, loader })
  const [at] = kernel.interfaces()
  if (at === undefined) throw new Error('the namespace has no interface')
  const site = { key: kernel.keyOf(at.ifindex, 'xdp'), hook: 'xdp', at, allowGeneric: false } as const
  const end = (): void => {
    kernel.detach(site.key)
    kernel.collectMaps(new Set())
    loader.close()
    removeTree(join(bpffs, 'hookline', agent))
    removeIfEmpty(join(bpffs, 'hookline'))
  }
  return { kernel, site, [Symbol.dispose]: end }
}
