import { DomainError } from '../domain/errors.ts'

/** Flags of `hookline verify` that are about a release only, and about what runs only, as they are named in code. */
const OF_RELEASE = [
  ...['url', 'token', 'tokenFile', 'signer', 'minSigners', 'policy', 'identity', 'issuer', 'trustedRoot'],
  ...['bundle', 'logKey', 'offline'],
]
const OF_RUNNING = ['state', 'trust', 'bpffs']

/**
 * Refuses flags that say nothing about what is verified: who gives one believes that it was checked. Throws `usage`, also where it
 * is not said what to verify.
 */
export function requireVerifyFlags(given: Readonly<Record<string, unknown>>): void {
  const { target, running } = given
  if ((running === true) === (target !== undefined))
    throw new DomainError('usage', 'say what to check: a release or a directory, or --running')
  const stray = (running === true ? OF_RELEASE : OF_RUNNING).find((name) => isGiven(given[name]))
  if (stray === undefined) return
  const flag = `--${stray.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
  const why =
    running === true
      ? 'is about a release, not about what runs'
      : 'is about what runs: it goes with --running'
  throw new DomainError('usage', `${flag} ${why}`)
}

/** A switch that is off, and a list of nothing, are not given. */
const isGiven = (value: unknown): boolean =>
  value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0)
