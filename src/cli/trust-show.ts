import { DomainError } from '../domain/errors.ts'
import type { ProgramId } from '../domain/names.ts'
import { signerText } from '../domain/signer.ts'
import { acceptedBy, type ProgramRule, ruleFor } from '../domain/trust-policy.ts'
import type { Outcome } from './io.ts'
import { readPolicy } from './policy-file.ts'
import { renderFields } from './table.ts'

/** Shows what a policy asks for; of one program, by the rule that decides about it. Throws `invalid_policy`, `policy_denied`. */
export async function showTrust({
  file,
  program,
}: {
  file: string
  program?: ProgramId | undefined
}): Promise<Outcome> {
  const { policy } = await readPolicy(file)
  const rule = program === undefined ? undefined : ruleFor(policy, program)
  if (program !== undefined && rule === undefined)
    throw new DomainError('policy_denied', `no rule of ${file} accepts ${program}`)
  const rules = rule === undefined ? policy.programs : [rule]
  const { operators, trustedRoot } = policy
  return {
    json: { operators, trustedRoot, programs: rules },
    text: [
      renderFields([
        ['operators', operators.map(({ key }) => key).join(', ') || 'none: no order is obeyed'],
        ['trusted root', trustedRoot],
      ]),
      ...rules.map(ruleText),
    ].join('\n\n'),
  }
}

const ruleText = (rule: ProgramRule): string => {
  const { match, minSigners, minAge, licenses, provenance, minVersion } = rule
  return renderFields([
    ['programs', match],
    ['signers', `${minSigners} of ${acceptedBy(rule).map(signerText).join(', ')}`],
    ['minimum age', minAge],
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
