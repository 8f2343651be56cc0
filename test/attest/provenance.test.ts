import { describe, expect, test } from 'vitest'
import { sha256Digest } from '../../src/attest/keys.ts'
import { describeProvenance, requireBuilt, verifyProvenance } from '../../src/attest/provenance.ts'
import { signRelease, signStatement } from '../../src/attest/sign-release.ts'
import { BUILDER, slsaStatement } from '../support/slsa.ts'
import { codeOf, newKey } from './craft.ts'

const [builder, eve] = [newKey('p256'), newKey()]
const [limit, helper] = [Buffer.from('limit'), Buffer.from('helper')]
const objects = new Map([
  ['limit.bpf.o', sha256Digest(limit)],
  ['helper.bpf.o', sha256Digest(helper)],
])
const accepted = {
  keys: [builder.publicKey, eve.publicKey],
  allowed: [builder.fingerprint],
}
const signed = (statement: object, key = builder) =>
  signStatement(Buffer.from(JSON.stringify(statement)), key)
const whole = slsaStatement([limit, helper])

describe('a provenance', () => {
  test('says where every object was built, and from what', async () => {
    expect(verifyProvenance(await signed(whole), objects, { ...accepted, what: 'it' })).toEqual({
      builder: BUILDER,
      buildType: 'https://example.org/make/v1',
      source: 'git+https://github.com/acme/app@refs/tags/v1',
      signer: builder.fingerprint,
    })
  })
  test('may be about more than these objects', async () => {
    const bundle = await signed(slsaStatement([limit, helper, Buffer.from('other')]))
    expect(verifyProvenance(bundle, objects, { ...accepted, what: 'it' }).builder).toBe(BUILDER)
  })
  test('may have fields that only its builder knows', async () => {
    const bundle = await signed({ ...whole, predicate: { ...whole.predicate, acme_extra: 1 } })
    expect(verifyProvenance(bundle, objects, { ...accepted, what: 'it' }).builder).toBe(BUILDER)
  })
  test('is shown without a look at who signed it', async () => {
    expect(describeProvenance(await signed(whole, eve), objects)).not.toHaveProperty('signer')
  })
})

describe('a provenance is refused:', () => {
  const release = { program: 'acme/limit', version: '1.0.0', files: new Map([['hookline.yaml', limit]]) }
  test.each<[string, () => Promise<string> | undefined, string]>([
    ['when it is missing', () => undefined, 'provenance_missing'],
    ['that a stranger signed', () => signed(whole, eve), 'signer_not_allowed'],
    ['that says nothing of one object', () => signed(slsaStatement([limit])), 'provenance_invalid'],
    ['about other bytes', () => signed(slsaStatement([limit, Buffer.from('?')])), 'provenance_invalid'],
    ['that is a release', () => signRelease(release, builder), 'provenance_invalid'],
    [
      'of another predicate',
      () => signed({ ...whole, predicateType: 'https://slsa.dev/provenance/v0.2' }),
      'provenance_invalid',
    ],
    [
      'without a builder',
      () => signed({ ...whole, predicate: { ...whole.predicate, runDetails: {} } }),
      'provenance_invalid',
    ],
    [
      'whose builder would write over what stands beside it',
      () => signed(slsaStatement([limit, helper], '\u202Eevil')),
      'provenance_invalid',
    ],
    [
      'of a builder that is not accepted',
      () => signed(slsaStatement([limit, helper], 'https://evil')),
      'builder_not_allowed',
    ],
    [
      'of a builder whose name only begins so',
      () => signed(slsaStatement([limit, helper], `${BUILDER}x`)),
      'builder_not_allowed',
    ],
  ])('%s', async (_, make, code) => {
    const bundle = await make()
    expect(codeOf(() => requireBuilt('acme/limit@1.0.0', bundle, objects, [BUILDER], accepted))).toBe(code)
  })
  test('and an altered one', async () => {
    const bundle = JSON.parse(await signed(whole))
    bundle.dsseEnvelope.payload = Buffer.from(JSON.stringify(slsaStatement([limit, helper], 'x'))).toString(
      'base64',
    )
    const text = JSON.stringify(bundle)
    expect(codeOf(() => requireBuilt('it', text, objects, [BUILDER], accepted))).toBe('signature_invalid')
  })
})
