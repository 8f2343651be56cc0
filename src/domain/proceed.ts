import { DomainError } from './errors.ts'
import type { Instance } from './function.ts'
import { DEFAULT_PROCEED, type Hook, strangeVerdict, type Verdict } from './hook.ts'
import type { Manifest } from './manifest.ts'

/**
 * The verdicts after which a chain goes on behind an entry of a hook: the instance's, else the manifest's, else the
 * hook's own.
 */
export type ProceedOf = (program: Manifest['programs'][number]) => readonly Verdict[]

/**
 * What the entries of an instance proceed on. Throws `invalid_function` when the instance names an entry that `manifest`
 * does not have, or a verdict that the entry's hook does not know.
 */
export function resolveProceed(manifest: Manifest, given: Instance['proceed']): ProceedOf {
  const known = manifest.programs.map(({ entry }) => entry)
  const refuse = (why: string): never => {
    throw new DomainError('invalid_function', `${manifest.name}@${manifest.version}: ${why}`)
  }
  for (const [entry, verdicts] of Object.entries(given)) {
    if (!known.includes(entry)) refuse(`proceed: there is no entry ${entry}; it has: ${known.join(', ')}`)
    for (const hook of hooksOf(manifest, entry)) {
      const strange = strangeVerdict(hook, verdicts)
      if (strange !== undefined) refuse(`proceed of ${entry}: ${strange}`)
    }
  }
  // a name that a stranger chose may be that of something every object inherits
  return ({ entry, hook, proceed }) =>
    (Object.hasOwn(given, entry) ? given[entry] : undefined) ?? proceed ?? DEFAULT_PROCEED[hook]
}

const hooksOf = (manifest: Manifest, entry: string): Hook[] =>
  manifest.programs.filter((program) => program.entry === entry).map(({ hook }) => hook)
