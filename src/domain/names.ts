import semver from 'semver'
import { z } from 'zod'
import { DomainError } from './errors.ts'

const NAME = /^[a-z][a-z0-9-]{0,37}[a-z0-9]$/

/** A namespace, program or function name: 2 to 39 of `a-z 0-9 -`, a letter first, no hyphen last. */
export const Name = z
  .string()
  .regex(NAME, 'lower-case letters, digits and hyphens, 2 to 39 characters, a letter first')

/** An instance's name inside its function. */
export const InstanceName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,38}$/, 'lower-case letters, digits and hyphens')

/** `namespace/name`. */
export const ProgramId = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,37}[a-z0-9]\/[a-z][a-z0-9-]{0,37}[a-z0-9]$/, 'namespace/name')
export type ProgramId = z.infer<typeof ProgramId>

/** A semver 2.0.0 version in its canonical form, without a leading `v` and without build metadata. */
export const Version = z
  .string()
  .max(64, { abort: true }) // before anything looks at it
  .refine((text) => semver.valid(text) === text, 'a semver version such as 1.4.0')

/** Lower-case hexadecimal SHA-256: of a file's bytes, or of a key's SPKI DER (its fingerprint). */
export const Digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'sha256: and 64 hexadecimal digits')
export type Digest = z.infer<typeof Digest>

/** A file of a release: a plain name, no folders, so that it can be written below any directory. */
export const FileName = z
  .string()
  .regex(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/, 'letters, digits, dot, hyphen and underscore, no folders')

/** What a function asks for: `namespace/name@range`. */
export const Use = z
  .string()
  .max(200, { abort: true })
  .refine((text) => {
    const at = text.indexOf('@')
    return (
      at > 0 &&
      ProgramId.safeParse(text.slice(0, at)).success &&
      semver.validRange(text.slice(at + 1)) !== null
    )
  }, 'namespace/name@range, such as acme/ratelimit@^1.4')

/** Name of the manifest among the files of a release. */
export const MANIFEST_FILE = 'hookline.yaml'

/** Splits `namespace/name@rest`. Throws `invalid_name`. */
export function parseRef(text: string): { program: ProgramId; rest: string } {
  const at = text.indexOf('@')
  const program = ProgramId.safeParse(at < 0 ? text : text.slice(0, at))
  if (!program.success || at === text.length - 1)
    throw new DomainError('invalid_name', `"${text}" is not namespace/name, or namespace/name@version`)
  return { program: program.data, rest: at < 0 ? '' : text.slice(at + 1) }
}

/** Whether `version` fits the range of `use` (npm's range syntax; pre-releases only where the range names one). */
export function fitsUse(use: string, program: ProgramId, version: string): boolean {
  const asked = parseRef(use)
  return asked.program === program && semver.satisfies(version, asked.rest)
}

/** The newest of `versions` that fits the range, or undefined. */
export const newestFitting = (versions: readonly string[], range: string): string | undefined =>
  semver.maxSatisfying([...versions], range) ?? undefined

/** Compares two versions by semver precedence: negative, zero or positive. */
export const compareVersions = (a: string, b: string): number => semver.compare(a, b)

/** `namespace/name@version`. */
export const releaseRef = (program: ProgramId, version: string): string => `${program}@${version}`

/** Path of a program's page in the catalog. */
export const programPath = (program: ProgramId): string => `/programs/${program}`

/** Path of a release's page in the catalog. */
export const releasePath = (program: ProgramId, version: string): string =>
  `${programPath(program)}/v/${encodeURIComponent(version)}`

/** Path of a namespace's page in the catalog. */
export const namespacePath = (namespace: string): string => `/namespaces/${namespace}`
