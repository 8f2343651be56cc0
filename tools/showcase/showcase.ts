import { buildApp } from '../../src/http/app.ts'
import { PATIENT } from '../../src/http/protection.ts'
import { openNodeDesk } from '../../src/registry/nodes.ts'
import { webPages } from '../../src/web/pages.ts'
import { type RunningRegistry, startRegistry } from '../../test/http/running-registry.ts'
import { fillRegistry, SHOWN_AT, type Showcase } from './fill.ts'

/** A registry with the showcase in it. */
export interface ShownRegistry extends Showcase {
  /** Address of its pages, at which it is always the same time. */
  readonly url: string
  readonly registry: RunningRegistry
  close(): Promise<void>
}

/** Starts a registry in a temporary directory, fills it, and shows it as it is at {@link SHOWN_AT}. `port` 0: any. */
export async function startShowcase(port = 0): Promise<ShownRegistry> {
  const registry = await startRegistry({ ...PATIENT, rates: undefined })
  try {
    const showcase = await fillRegistry(registry)
    const { services, database } = registry
    const clock = (): Date => SHOWN_AT
    // one that has not heard the nodes itself, since that was today
    const nodeDesk = openNodeDesk(services.nodes, database.notices, clock)
    // the database counts days back from its own today
    const late = Math.ceil((Date.now() - SHOWN_AT.getTime()) / 86_400_000)
    const downloads: typeof services.downloads = {
      ...services.downloads,
      history: (program, days) => services.downloads.history(program, Math.max(0, days + late)),
    }
    const app = await buildApp({ ...services, clock, nodeDesk, downloads }, webPages())
    const url = await app.listen({ host: '127.0.0.1', port })
    const close = async (): Promise<void> => {
      await app.close()
      await registry.close()
    }
    return { ...showcase, url, registry, close }
  } catch (thrown) {
    await registry.close()
    throw thrown
  }
}
