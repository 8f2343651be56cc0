import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { rememberVerdicts } from '../../src/agent/verdicts.ts'
import { generateKeyPair, parsePrivateKey, sha256Digest } from '../../src/attest/keys.ts'
import { signKeyless } from '../../src/attest/sign-keyless.ts'
import { signRelease } from '../../src/attest/sign-release.ts'
import { parseTrustedRoot } from '../../src/attest/trusted-root.ts'
import {
  type DigestClaim,
  digestsOf,
  verifyRelease,
  verifyReleaseDigests,
} from '../../src/attest/verify-release.ts'
import type { Digest, ProgramId } from '../../src/domain/names.ts'
import { startSigstore } from '../../test/support/sigstore.ts'
import { buildProgram, PROGRAMS } from '../../tools/build-programs.ts'
import { type Times, timedInTurns } from '../times.ts'

/** Who signs in the double's name: what its identity token says. */
const IDENTITY = {
  identity: 'https://ci.example/acme/scrub/release.yml',
  issuer: 'https://ci.example',
} as const

/** How a release's signature is checked. */
export type SignatureCase = 'ed25519' | 'p256' | 'ed25519 with files' | 'cached verdict' | 'keyless'

/** A release of the starter catalog, built and read: what a publisher signs. */
function release(folder: string): { program: ProgramId; version: string; files: Map<string, Buffer> } {
  const { dir, manifest, files } = buildProgram(join(PROGRAMS, 'scrub'), { outDir: folder })
  return {
    ...{ program: manifest.name, version: manifest.version },
    files: new Map(files.map((name) => [name, readFileSync(join(dir, name))])),
  }
}

/**
 * Times to check a real release's bundle as registry and agent do: by digests alone, for a key of each kind; with the hashing of
 * its files, as the registry does at a publish; from memory, as an agent does at every pass but the first; and for an identity,
 * certificate and timestamp among it.
 */
export async function measureSignatures(
  folder: string,
  rounds: number,
): Promise<Record<SignatureCase, Times>> {
  const { files, ...ref } = release(folder)
  const digests = digestsOf(files)
  const keyed = async (algorithm: 'ed25519' | 'p256'): Promise<DigestClaim> => {
    const key = parsePrivateKey(generateKeyPair(algorithm).privateKey)
    const bundle = await signRelease({ ...ref, files }, key)
    const allowed = [key.publicKey.fingerprint]
    return { ...ref, digests, bundle, keys: [key.publicKey], allowed, root: undefined }
  }
  const [ed25519, p256] = [await keyed('ed25519'), await keyed('p256')]
  const keyless = await keylessClaim({ ...ref, files }, digests)
  const verdicts = rememberVerdicts()
  const question = [ref.program, ref.version, [...digests], sha256Digest(Buffer.from(ed25519.bundle))]
  return timedInTurns(
    {
      ed25519: () => verifyReleaseDigests(ed25519),
      p256: () => verifyReleaseDigests(p256),
      'ed25519 with files': () => verifyRelease({ ...ed25519, files }),
      'cached verdict': () => verdicts.recall(question, () => verifyReleaseDigests(ed25519)),
      keyless: () => verifyReleaseDigests(keyless),
    },
    rounds,
  )
}

/** The same release signed for an identity, by services on loopback. */
async function keylessClaim(
  release: { program: ProgramId; version: string; files: Map<string, Buffer> },
  digests: ReadonlyMap<string, Digest>,
): Promise<DigestClaim> {
  const services = await startSigstore()
  try {
    const { url, trustedRoot } = services
    const bundle = await signKeyless(release, identityToken(), { fulcio: url, tsa: url, rekor: undefined })
    const { program, version } = release
    return {
      program,
      version,
      digests,
      bundle,
      keys: [],
      allowed: [IDENTITY],
      root: parseTrustedRoot(trustedRoot),
    }
  } finally {
    await services.close()
  }
}

/** An identity token that nobody signed: the double does not look. */
function identityToken(): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const { identity, issuer } = IDENTITY
  return `${part({ alg: 'none' })}.${part({ sub: identity, iss: issuer })}.`
}
