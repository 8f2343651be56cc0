import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { auditWhole, compareRevocations } from '../../src/cli/log-audit.ts'
import { logClient } from '../../src/client/log-client.ts'
import { LIMITS } from '../../src/domain/limits.ts'
import { parseNoteKey } from '../../src/tlog/note-key.ts'
import { residentMiB, startService } from '../../tools/demo/processes.ts'

const BINARY = fileURLToPath(new URL('../../src/bin/hookline.ts', import.meta.url))
const POLICY = { maxAge_s: LIMITS.log_fresh_s, witnesses: { keys: [], threshold: 0 } }
const Started = z.object({ url: z.string() })

/** What an audit came to. */
export interface Audited {
  readonly auditMs: number
  readonly entries: number
  readonly releases: number
  readonly registryRssMiB: number
  readonly auditorRssMiB: number
}

/**
 * Audits the logs of the registry whose data directory is `dataDir` as `hookline log verify` does, over HTTP: a registry of
 * its own process on loopback serves them; every entry is hashed and parsed, every tile compared, and what they come to is held
 * against the checkpoint and the other log. The catalog, which is empty, is not read.
 */
export async function measureAudit(
  dataDir: string,
  onEntries: (done: number, total: number) => void,
): Promise<Audited> {
  process.env['HOOKLINE_RATE_LIMITS'] = 'off' // else it would be measured how long it makes an auditor wait
  const registry = startService(BINARY, ['serve', '--data', dataDir, '--port', '0', '--json'])
  try {
    const line = await registry.line((text) => text.startsWith('{'))
    const client = logClient(Started.parse(JSON.parse(line)).url, undefined)
    const keys = new Map((await client.logs()).map(({ log, key }) => [log, parseNoteKey(key)]))
    const start = performance.now()
    const audit = (log: 'catalog' | 'revocations', onSome: typeof onEntries) => {
      const key = keys.get(log)
      if (key === undefined) throw new Error(`the registry has no log of ${log}`)
      return auditWhole({ client, log, policy: POLICY }, key, onSome)
    }
    const catalog = await audit('catalog', onEntries)
    const revocations = await audit('revocations', () => {})
    const findings = compareRevocations(catalog.history, revocations.history, catalog.state.size)
    if (findings.length > 0) throw new Error(`the logs disagree: ${findings[0]?.detail}`)
    return {
      auditMs: Math.round(performance.now() - start),
      ...{ entries: catalog.state.size, releases: catalog.history.releases.size },
      ...{ registryRssMiB: residentMiB(registry.pid), auditorRssMiB: residentMiB(process.pid) },
    }
  } finally {
    await registry.stop()
  }
}
