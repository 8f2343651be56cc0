import { z } from 'zod'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Digest } from '../domain/names.ts'
import type { BuildFacts } from '../domain/release.ts'
import { isPlainLine, NOT_PLAIN } from '../domain/shown-text.ts'
import { fitsText, type Signer } from '../domain/signer.ts'
import { parseDocument } from './document.ts'
import { type BundleClaim, openBundle, unprovenPayload } from './open-bundle.ts'
import { STATEMENT_TYPE, STATEMENT_V1 } from './release-statement.ts'

/** Type of the predicate (SLSA v1.0, Provenance). */
const SLSA_PROVENANCE = 'https://slsa.dev/provenance/v1'

const Text = z.string().min(1).max(LIMITS.signer_chars).refine(isPlainLine, NOT_PLAIN)
const DigestSet = z.record(z.string(), z.string())
const Resource = z.looseObject({ uri: Text.optional(), digest: DigestSet.optional() })

/** What is read of a provenance. Builders add fields of their own, as the specification lets them: they are passed over. */
const Provenance = z.looseObject({
  _type: z.literal(STATEMENT_V1),
  subject: z
    .array(z.looseObject({ digest: DigestSet }))
    .min(1)
    .max(LIMITS.provenance_subjects),
  predicateType: z.literal(SLSA_PROVENANCE),
  predicate: z.looseObject({
    buildDefinition: z.looseObject({
      buildType: Text,
      externalParameters: z.record(z.string(), z.unknown()).default({}),
      resolvedDependencies: z.array(Resource).default([]),
    }),
    runDetails: z.looseObject({ builder: z.looseObject({ id: Text }) }),
  }),
})

type Unsigned = Omit<BuildFacts, 'signer'>

/**
 * Checks that an accepted signer says of every one of `objects` (digests by name) where it was built, and gives that. Other
 * subjects may come along: one build makes more than one release. Throws `provenance_invalid`, and what
 * {@link openBundle} does.
 */
export function verifyProvenance(
  bundle: string,
  objects: ReadonlyMap<string, Digest>,
  accepted: BundleClaim,
): BuildFacts & { readonly signer: Signer } {
  const { signer, ...document } = openBundle(bundle, accepted)
  return { ...readProvenance(document, objects), signer }
}

/** The same without a look at the signature, for showing it. Throws `bundle_invalid`, `provenance_invalid`. */
export const describeProvenance = (bundle: string, objects: ReadonlyMap<string, Digest>): Unsigned =>
  readProvenance(unprovenPayload(bundle), objects)

function readProvenance(
  { payload, payloadType }: { payload: Buffer; payloadType: string },
  objects: ReadonlyMap<string, Digest>,
): Unsigned {
  if (payloadType !== STATEMENT_TYPE)
    throw new DomainError('provenance_invalid', `provenance: the document is ${JSON.stringify(payloadType)}`)
  const statement = parseDocument(payload, Provenance, 'provenance_invalid', 'provenance')
  const built = new Set(statement.subject.map(({ digest }) => digest['sha256']))
  for (const [name, digest] of objects)
    if (!built.has(digest.slice('sha256:'.length)))
      throw new DomainError('provenance_invalid', `the provenance says nothing of ${name}`)
  const { buildDefinition, runDetails } = statement.predicate
  const source = buildDefinition.resolvedDependencies[0]?.uri
  return {
    builder: runDetails.builder.id,
    buildType: buildDefinition.buildType,
    ...(source === undefined ? {} : { source }),
  }
}

/**
 * What a policy asks of a release's provenance: that there is one, of an accepted signer, about these objects, and of one of
 * `builders`. Gives who vouches for it. `verify` checks the bundle. Throws `provenance_missing`, `builder_not_allowed`, and
 * what {@link verifyProvenance} does.
 */
export function requireBuilt(
  ref: string,
  provenance: string | undefined,
  objects: ReadonlyMap<string, Digest>,
  builders: readonly string[],
  accepted: Omit<BundleClaim, 'what'>,
  verify: typeof verifyProvenance = verifyProvenance,
): Signer {
  if (provenance === undefined)
    throw new DomainError(
      'provenance_missing',
      `${ref} comes without a provenance, which the policy asks for`,
    )
  const { builder, signer } = verify(provenance, objects, { ...accepted, what: `the provenance of ${ref}` })
  if (!builders.some((pattern) => fitsText(pattern, builder)))
    throw new DomainError('builder_not_allowed', `${ref} was built by ${builder}, which is not accepted`)
  return signer
}
