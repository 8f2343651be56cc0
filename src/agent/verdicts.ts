import { sha256Digest } from '../attest/keys.ts'
import { LIMITS } from '../domain/limits.ts'

/** Remembers what was verified. */
export interface Verdicts {
  /** What `verify` gave for this question, from memory where it was asked before. What it throws is not remembered. */
  recall<T extends object>(question: readonly unknown[], verify: () => T): T
}

/**
 * Opens such a memory; what was not asked for longest is forgotten first. A question holds all that the answer depends on:
 * a signature by an identity takes milliseconds, and a node asks for every release at every pass.
 */
export function rememberVerdicts(most: number = LIMITS.verdicts): Verdicts {
  const known = new Map<string, object>()
  return {
    recall<T extends object>(question: readonly unknown[], verify: () => T): T {
      const key = sha256Digest(Buffer.from(JSON.stringify(question)))
      // the question names what is asked, so that an answer is of the asked type
      const answer = (known.get(key) as T | undefined) ?? verify()
      known.delete(key)
      known.set(key, answer)
      if (known.size > most) for (const oldest of [...known.keys()].slice(0, 1)) known.delete(oldest)
      return answer
    },
  }
}
