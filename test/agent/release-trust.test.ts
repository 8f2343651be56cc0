import { beforeEach, describe, expect, test } from 'vitest'
import { obtainRelease } from '../../src/agent/release-source.ts'
import type { Judge } from '../../src/agent/release-trust.ts'
import { rememberVerdicts } from '../../src/agent/verdicts.ts'
import { sha256Digest } from '../../src/attest/keys.ts'
import { signRelease, signStatement } from '../../src/attest/sign-release.ts'
import { asDomainError } from '../../src/domain/errors.ts'
import type { ReleaseDescriptor } from '../../src/domain/release.ts'
import { parseTrustPolicy } from '../../src/domain/trust-policy.ts'
import { type BuiltRelease, buildRelease, newKey, xdpObject } from '../http/release-builder.ts'
import { BUILDER, slsaStatement } from '../support/slsa.ts'
import { describeRelease } from './held-release.ts'

const [ada, grace, eve, builder] = [newKey(), newKey('ed25519'), newKey(), newKey()]
const KEYS = [ada, grace, eve, builder].map(({ publicKey }) => publicKey)
const NOW = new Date('2026-05-02T00:00:00Z')
const earlier = (seconds: number): Date => new Date(NOW.getTime() - seconds * 1000)

/** A policy whose one rule accepts Ada and Grace, with these further fields. */
const policyWith = (fields: string) =>
  parseTrustPolicy(
    `programs: [{ match: "acme/*", signers: [{ key: "${ada.fingerprint}" }, { key: "${grace.fingerprint}" }], permissions: [drop], ${fields} }]`,
  )

let seen = new Map<string, Date>()
let [fetched, asked]: [string[], string[]] = [[], []]
let served = new Map<string, Buffer>()
beforeEach(() => {
  ;[seen, fetched, asked, served] = [new Map(), [], [], new Map()]
})

/** Code of the refusal, or `accepted`. */
async function verdict(
  descriptor: ReleaseDescriptor,
  fields: string,
  judge: Partial<Judge> = {},
): Promise<string> {
  const whole: Judge = {
    ...{ policy: policyWith(fields), keys: KEYS, verdicts: rememberVerdicts(), now: NOW, emergency: false },
    state: {
      releaseSeen: async (content, now) => {
        asked.push(content)
        const first = seen.get(content) ?? now
        seen.set(content, first)
        return first
      },
    },
    vet: async () => undefined,
    ...judge,
  }
  try {
    await obtainRelease(
      descriptor,
      whole,
      { blob: async () => undefined, saveBlob: async () => {} },
      {
        blob: async (digest) => {
          fetched.push(digest)
          return served.get(digest) ?? Buffer.alloc(0)
        },
      },
      new AbortController().signal,
    )
    return 'accepted'
  } catch (thrown) {
    return asDomainError(thrown).code
  }
}
async function released(manifest: object = {}): Promise<BuiltRelease> {
  const built = await buildRelease('acme/limit', '1.2.0', ada, { manifest })
  for (const bytes of built.files.values()) served.set(sha256Digest(bytes), bytes)
  return built
}

describe('several signers', () => {
  test('a release of two is accepted where two are asked for', async () => {
    const built = await released()
    const bundles = [await signRelease(built, grace)]
    expect(await verdict({ ...describeRelease(built), bundles }, 'minSigners: 2')).toBe('accepted')
  })
  test.each<[string, (built: BuiltRelease) => Promise<string[]>]>([
    ['one alone', async () => []],
    ['one twice', async (built) => [await signRelease(built, ada)]],
    ['a stranger for the second', async (built) => [await signRelease(built, eve)]],
    [
      'a second who signed an older release',
      async (built) => [await signRelease({ ...built, version: '1.1.0' }, grace)],
    ],
  ])('but not %s, and nothing is fetched', async (_, others) => {
    const built = await released()
    const bundles = await others(built)
    expect(await verdict({ ...describeRelease(built), bundles }, 'minSigners: 2')).toBe('too_few_signers')
    expect(fetched).toEqual([])
  })
})

describe('a minimum age', () => {
  test('counts from when this node saw the release first', async () => {
    const descriptor = describeRelease(await released())
    expect(await verdict(descriptor, 'minAge: 24h')).toBe('too_young')
    expect(fetched).toEqual([])
    for (const content of seen.keys()) seen.set(content, earlier(86_400))
    expect(await verdict(descriptor, 'minAge: 24h')).toBe('accepted')
  })
  test('cannot be had from a release of other content under the same name', async () => {
    const descriptor = describeRelease(await released())
    await verdict(descriptor, 'minAge: 24h')
    for (const content of seen.keys()) seen.set(content, earlier(86_400))
    const other = await released({ summary: 'Another' })
    expect(await verdict(describeRelease(other), 'minAge: 24h')).toBe('too_young')
  })
  test('does not begin before somebody accepted signed it', async () => {
    const built = await released()
    const bundle = await signRelease(built, eve)
    expect(await verdict({ ...describeRelease(built), bundle }, 'minAge: 24h')).toBe('signer_not_allowed')
    expect(asked).toEqual([])
  })
  test('begins where no rule asks for one yet, so that a policy that does later stops nothing old', async () => {
    expect(await verdict(describeRelease(await released()), '')).toBe('accepted')
    expect(asked).not.toEqual([])
  })
  test.each([
    ['old enough, though this node sees it now', earlier(86_400), 'accepted'],
    ['too young, though this node knows it for long', earlier(86_399), 'too_young'],
  ])('counts from when the log says where there is one: %s', async (_, published, code) => {
    const descriptor = describeRelease(await released())
    if (code === 'too_young') {
      await verdict(descriptor, '')
      for (const content of seen.keys()) seen.set(content, earlier(10 * 86_400))
    }
    expect(await verdict(descriptor, 'minAge: 24h', { vet: async () => published })).toBe(code)
  })
  test('gives way to an operator’s emergency, and nothing else does', async () => {
    const built = await released()
    const descriptor = describeRelease(built)
    const emergency = { emergency: true }
    expect(await verdict(descriptor, 'minAge: 24h', emergency)).toBe('accepted')
    expect(await verdict(descriptor, 'minAge: 24h, minSigners: 2', emergency)).toBe('too_few_signers')
    expect(await verdict(descriptor, 'licenses: [MIT]', emergency)).toBe('license_not_allowed')
    const least = 'minVersion: { "acme/limit": "1.3.0" }'
    expect(await verdict(descriptor, least, emergency)).toBe('below_min_version')
  })
})

describe('licences', () => {
  test.each([
    ['GPL-2.0-only', '[GPL-2.0-only]', 'accepted'],
    ['GPL-2.0-only', '[MIT]', 'license_not_allowed'],
    ['MIT OR GPL-2.0-only', '[MIT]', 'accepted'],
    ['MIT AND GPL-2.0-only', '[MIT]', 'license_not_allowed'],
  ])('%s where %s are allowed: %s', async (license, allowed, code) => {
    const built = await released({ license })
    expect(await verdict(describeRelease(built), `licenses: ${allowed}`)).toBe(code)
    // what is refused by its licence is refused before its objects are fetched
    expect(fetched).toHaveLength(code === 'accepted' ? 2 : 1)
  })
})

describe('provenance', () => {
  const rule = `provenance: { required: true, builders: ["${BUILDER}"], signers: [{ key: "${builder.fingerprint}" }] }`
  const built = (files: Buffer[], key = builder, where = BUILDER): Promise<string> =>
    signStatement(Buffer.from(JSON.stringify(slsaStatement(files, where))), key)
  test.each<[string, () => Promise<string> | undefined, string]>([
    ['of the accepted builder', () => built([xdpObject()]), 'accepted'],
    ['that is missing', () => undefined, 'provenance_missing'],
    ['about another object', () => built([Buffer.from('other')]), 'provenance_invalid'],
    ['that the publisher made himself', () => built([xdpObject()], ada), 'signer_not_allowed'],
    ['of another builder', () => built([xdpObject()], builder, 'https://elsewhere'), 'builder_not_allowed'],
  ])('%s', async (_, make, code) => {
    const release = await released()
    const provenance = await make()
    const descriptor = { ...describeRelease(release), ...(provenance === undefined ? {} : { provenance }) }
    expect(await verdict(descriptor, rule)).toBe(code)
  })
})

describe('what was verified', () => {
  const digest = (text: string) => sha256Digest(Buffer.from(text))
  const asking = (text: string, fields = '') => ({ ...policyWith(fields), digest: digest(text) })
  /** Verdicts that count which bundles were verified; what is read out of bytes depends on no policy. */
  function counted() {
    const verdicts = rememberVerdicts()
    const counting = {
      verified: 0,
      recall: <T extends object>(question: readonly unknown[], verify: () => T): T =>
        verdicts.recall(question, () => {
          if (question[0] === 'release') counting.verified++
          return verify()
        }),
    }
    return counting
  }
  test('is not verified again under the same policy', async () => {
    const [descriptor, verdicts] = [describeRelease(await released()), counted()]
    for (let pass = 0; pass < 3; pass++)
      expect(await verdict(descriptor, '', { policy: asking('one'), verdicts })).toBe('accepted')
    expect(verdicts.verified).toBe(1)
  })
  test('is refused when its key is withheld: nothing must be kept that cannot be verified again', async () => {
    const [descriptor, verdicts] = [describeRelease(await released()), rememberVerdicts()]
    const policy = asking('one')
    expect(await verdict(descriptor, '', { policy, verdicts })).toBe('accepted')
    expect(await verdict(descriptor, '', { policy, verdicts, keys: [] })).toBe('signer_not_allowed')
  })
  test.each<[string, Partial<Judge>, (honest: ReleaseDescriptor) => ReleaseDescriptor]>([
    ['another policy', { policy: asking('two') }, (honest) => honest],
    ['another bundle', {}, (honest) => ({ ...honest, bundle: `${honest.bundle} ` })],
    [
      'other files',
      {},
      (honest) => ({
        ...honest,
        files: honest.files.map((file) => ({ ...file, digest: digest(file.name) })),
      }),
    ],
  ])('is verified again under %s', async (_, judge, change) => {
    const [descriptor, verdicts] = [describeRelease(await released()), counted()]
    expect(await verdict(descriptor, '', { policy: asking('one'), verdicts })).toBe('accepted')
    await verdict(change(descriptor), '', { policy: asking('one'), verdicts, ...judge })
    expect(verdicts.verified).toBe(2)
  })
})
