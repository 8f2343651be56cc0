import type { LogClient } from '../client/log-client.ts'
import type { RegistryClient } from '../client/registry-client.ts'
import { LIMITS } from '../domain/limits.ts'
import type { LogName } from '../domain/log.ts'
import type { Opening } from '../tlog/history.ts'
import { readNames } from './log-catalog.ts'
import { patiently } from './patiently.ts'

/** What hidden entries of both logs stand for, by index, as far as the caller may read what they are about. None is checked yet. */
export async function readOpenings(
  registry: RegistryClient,
  client: LogClient,
): Promise<Record<LogName, ReadonlyMap<number, Opening>>> {
  const names = await readNames(registry)
  const namespaces = new Set(names.map((name) => name.split('/')[0] ?? ''))
  const of = async (log: LogName): Promise<ReadonlyMap<number, Opening>> => {
    const openings = new Map<number, Opening>()
    for (const namespace of namespaces) await readNamespace(client, log, namespace, openings)
    return openings
  }
  return { catalog: await of('catalog'), revocations: await of('revocations') }
}

async function readNamespace(
  client: LogClient,
  log: LogName,
  namespace: string,
  openings: Map<number, Opening>,
): Promise<void> {
  for (let after = -1; ; ) {
    const page = await patiently(() => client.openings(log, namespace, after))
    for (const { index, hidden, salt } of page)
      openings.set(index, { entry: Buffer.from(hidden), salt: Buffer.from(salt, 'base64') })
    const last = page.at(-1)?.index ?? after
    // a registry that never comes to an end must not keep an audit
    if (page.length < LIMITS.log_openings || last <= after) return
    after = last
  }
}
