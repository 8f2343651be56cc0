import { sha256Digest } from '../../src/attest/keys.ts'

/** The builder that {@link slsaStatement} names. */
export const BUILDER = 'https://github.com/acme/app/.github/workflows/build.yml@refs/tags/v1'

/** An in-toto statement with an SLSA v1 provenance of these files, as a builder writes one. */
export const slsaStatement = (files: readonly Buffer[], builder = BUILDER) => ({
  _type: 'https://in-toto.io/Statement/v1',
  subject: files.map((bytes, at) => ({
    name: `out/${at}.o`,
    digest: { sha256: sha256Digest(bytes).slice('sha256:'.length) },
  })),
  predicateType: 'https://slsa.dev/provenance/v1',
  predicate: {
    buildDefinition: {
      buildType: 'https://example.org/make/v1',
      externalParameters: { ref: 'refs/tags/v1' },
      resolvedDependencies: [
        { uri: 'git+https://github.com/acme/app@refs/tags/v1', digest: { gitCommit: 'a'.repeat(40) } },
      ],
    },
    runDetails: { builder: { id: builder }, metadata: { invocationId: '1' } },
  },
})
