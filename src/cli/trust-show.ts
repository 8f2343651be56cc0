import { logTrust } from '../agent/log-trust.ts'
import { DomainError } from '../domain/errors.ts'
import type { ProgramId } from '../domain/names.ts'
import { signerText } from '../domain/signer.ts'
import {
  acceptedBy,
  minAgeSeconds,
  type ProgramRule,
  ruleFor,
  type TrustPolicy,
} from '../domain/trust-policy.ts'
import type { Outcome } from './io.ts'
import { type OwnersPolicy, readAnyPolicy } from './policy-file.ts'
import { renderFields } from './table.ts'
import { labelsText } from './terminal.ts'

/**
 * Shows what a policy asks for, a node's or one of owners; of one program, by the rule that decides about it. Throws
 * `invalid_policy`, `policy_document_invalid`, `policy_denied`.
 */
export async function showTrust({
  file,
  program,
}: {
  file: string
  program?: ProgramId | undefined
}): Promise<Outcome> {
  const found = await readAnyPolicy(file)
  const { operators, programs } = found.kind === 'owners' ? found.spec : found.policy
  const rule = program === undefined ? undefined : ruleFor({ programs }, program)
  if (program !== undefined && rule === undefined)
    throw new DomainError('policy_denied', `no rule of ${file} accepts ${program}`)
  const rules = rule === undefined ? programs : [rule]
  const shown = found.kind === 'owners' ? ownersPolicy(found) : nodePolicy(found.policy)
  return {
    json: { ...shown.json, operators, programs: rules },
    text: [renderFields(shown.fields), ...rules.map(ruleText)].join('\n\n'),
  }
}

/** What stands above the rules of a policy. */
interface Head {
  readonly json: object
  readonly fields: readonly (readonly [string, string | undefined])[]
}

const keysText = (keys: readonly { key: string }[]): string => keys.map(({ key }) => key).join(', ')
const operatorsText = (operators: TrustPolicy['operators']): string =>
  keysText(operators) || 'none: no order is obeyed'

function nodePolicy({ operators, owners, floor, trustedRoot, log, programs }: TrustPolicy): Head {
  const fields: Head['fields'] =
    owners === undefined
      ? [['operators', operatorsText(operators)]]
      : [
          ['owners', `${keysText(owners)}: their policy names operators and programs`],
          ['floor', floorText(floor)],
        ]
  return {
    json: { owners, floor, trustedRoot, log },
    fields: [...fields, ['trusted root', trustedRoot], ...logFields({ log, programs })],
  }
}

function ownersPolicy({ spec: { name, selector, operators }, signed }: OwnersPolicy): Head {
  return {
    json: { name, selector, ...signed },
    fields: [
      ['policy', name],
      ['revision', signed === undefined ? 'not signed yet' : String(signed.revision)],
      ['signed by', signed && `${signed.owner} (nodes check it)`],
      ['nodes', labelsText(selector) || 'every node'],
      ['operators', operatorsText(operators)],
    ],
  }
}

function floorText(floor: TrustPolicy['floor']): string {
  const { minSigners, minAge } = floor ?? {}
  const parts = [
    ...(minSigners === undefined ? [] : [`minSigners ${minSigners}`]),
    ...(minAge === undefined ? [] : [`minAge ${minAge}`]),
  ]
  return parts.join(', ') || 'none'
}

/** The log by name: which key that is was checked when the file was read. */
function logFields(policy: Pick<TrustPolicy, 'log' | 'programs'>): Head['fields'] {
  const trust = logTrust(policy)
  if (trust === undefined || policy.log === undefined) return [['log', 'none: a release need not be logged']]
  const { maxAge, onStale } = policy.log
  const { keys, threshold } = trust.policy.witnesses
  const names = keys.map(({ name }) => name).join(', ')
  return [
    ['log', trust.keys.catalog.name],
    ['stale after', `${maxAge}, then ${onStale === 'keep' ? 'what runs goes on' : 'as if it were revoked'}`],
    ['witnesses', threshold === 0 ? 'none' : `${threshold} of ${keys.length}: ${names}`],
    [
      'recovery',
      trust.recoveryKeys.map(({ name }) => name).join(', ') || 'nobody: a log begun anew is refused',
    ],
  ]
}

const ruleText = (rule: ProgramRule): string => {
  const { match, minSigners, minAge, permissions, licenses, provenance, minVersion } = rule
  const signers = acceptedBy(rule).map(signerText)
  return renderFields([
    ['programs', match],
    ['signers', `${minSigners} of ${signers.length}: ${signers.join(', ')}`],
    ['permissions', permissions.join(', ') || 'none: they only let packets pass'],
    ['minimum age', minAgeSeconds(rule) === 0 ? 'none' : minAge],
    [
      'minimum versions',
      Object.entries(minVersion)
        .map((pair) => pair.join(' '))
        .join(', ') || undefined,
    ],
    ['licences', licenses?.join(', ')],
    ['built by', provenance?.builders.join(', ')],
  ])
}
