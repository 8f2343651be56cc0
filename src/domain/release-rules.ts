import { DomainError } from './errors.ts'
import { satisfiesLicenses } from './license.ts'
import { compareVersions, type ProgramId, releaseRef } from './names.ts'
import { minAgeSeconds, type ProgramRule } from './trust-policy.ts'

/** Refuses a version below the rule's minimum. Throws `below_min_version`. */
export function requireMinVersion(rule: ProgramRule, program: ProgramId, version: string): void {
  const least = rule.minVersion[program]
  if (least !== undefined && compareVersions(version, least) < 0)
    throw new DomainError(
      'below_min_version',
      `${program}@${version} is below ${least}, the policy's minimum`,
    )
}

/** Refuses a release that has not been there `since` as long as the rule asks. Throws `too_young`, which says until when. */
export function requireAge(rule: ProgramRule, ref: string, since: Date, now: Date): void {
  const age_s = minAgeSeconds(rule)
  if (age_s === 0) return // what the log showed since this pass began is not from the future
  const until = new Date(since.getTime() + age_s * 1000)
  if (now < until)
    throw new DomainError(
      'too_young',
      `${ref} has been there since ${since.toISOString()}; "${rule.match}" of trust.yaml asks for ${rule.minAge}, until ${until.toISOString()}`,
      { until },
    )
}

/** Refuses a licence that the rule's do not satisfy. Throws `license_not_allowed`. */
export function requireLicense(
  rule: ProgramRule,
  { name, version, license }: { name: ProgramId; version: string; license: string },
): void {
  if (rule.licenses === undefined || satisfiesLicenses(license, rule.licenses)) return
  throw new DomainError(
    'license_not_allowed',
    `${releaseRef(name, version)} is under ${license}; "${rule.match}" of trust.yaml allows ${rule.licenses.join(', ')}`,
  )
}
