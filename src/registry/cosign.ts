import { verifyReleaseDigests } from '../attest/verify-release.ts'
import type { Actor } from '../domain/account.ts'
import type { ProgramId } from '../domain/names.ts'
import type { ReleaseView } from '../domain/release.ts'
import type { Catalog } from '../ports/catalog.ts'
import { requirePublisher } from './access.ts'
import type { PublishDependencies } from './publish.ts'
import { signersOf } from './signers.ts'

/**
 * Adds the signature of a further signer of the namespace to a release, and gives the release with it. Throws
 * `version_not_found`, `key_expired`, `too_many`, what {@link requirePublisher} and {@link verifyReleaseDigests} do.
 */
export async function cosign(
  {
    catalog,
    namespaces,
    trustedRoot: root,
    clock,
  }: Pick<PublishDependencies, 'namespaces' | 'trustedRoot' | 'clock'> & {
    readonly catalog: Pick<Catalog, 'release' | 'addBundle'>
  },
  actor: Actor,
  program: ProgramId,
  version: string,
  bundle: string,
): Promise<ReleaseView> {
  requirePublisher(actor, program, false)
  const { files } = await catalog.release(program, version, [program])
  const { keys, allowed, requireValid } = await signersOf(namespaces, program.slice(0, program.indexOf('/')))
  const digests = new Map(files.map(({ name, digest }) => [name, digest]))
  const { signer } = verifyReleaseDigests({ bundle, program, version, digests, keys, allowed, root })
  requireValid(signer, clock())
  await catalog.addBundle(program, version, { bundle, signer }, actor)
  return catalog.release(program, version, [program])
}
