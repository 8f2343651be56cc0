import { setTimeout as pause } from 'node:timers/promises'
import { asDomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'

/** Waits when the registry says that it is asked too often, or has too much to do. Throws what `work` does at last. */
export async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let waits = 0; ; waits++)
    try {
      return await work()
    } catch (thrown) {
      const { code } = asDomainError(thrown)
      if ((code !== 'rate_limited' && code !== 'overloaded') || waits === LIMITS.audit_waits) throw thrown
      await pause(LIMITS.audit_wait_ms)
    }
}
