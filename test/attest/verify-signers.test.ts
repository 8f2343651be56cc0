import { describe, expect, test } from 'vitest'
import { signRelease } from '../../src/attest/sign-release.ts'
import { digestsOf } from '../../src/attest/verify-release.ts'
import { verifySigners } from '../../src/attest/verify-signers.ts'
import { codeOf, newKey } from './craft.ts'

const [ada, grace, eve] = [newKey('p256'), newKey('ed25519'), newKey()]
const files = new Map([
  ['hookline.yaml', Buffer.from('manifest')],
  ['limit.bpf.o', Buffer.from('object')],
])
const release = { program: 'acme/limit', version: '1.4.0', files }
const [byAda, byAdaAgain, byGrace, byEve] = await Promise.all(
  [ada, ada, grace, eve].map((key) => signRelease(release, key)),
)
const ofOther = await signRelease({ ...release, version: '1.5.0' }, grace)
const ofOtherFiles = await signRelease(
  { ...release, files: new Map([...files, ['x', Buffer.from('x')]]) },
  grace,
)

const signersOf = (bundles: (string | undefined)[], minSigners: number) =>
  verifySigners({
    ...{ program: 'acme/limit', version: '1.4.0', digests: digestsOf(files), minSigners },
    bundles: bundles.map((bundle) => bundle ?? ''),
    keys: [ada, grace, eve].map(({ publicKey }) => publicKey),
    allowed: [ada.fingerprint, grace.fingerprint],
  })

describe('enough accepted signers', () => {
  test.each([
    ['one of one', [byAda], 1, [ada]],
    ['two of two', [byAda, byGrace], 2, [ada, grace]],
    ['two of one: both are told', [byAda, byGrace], 1, [ada, grace]],
    ['one, whose bundle is not the first', [byEve, byGrace], 1, [grace]],
    ['two beside a stranger', [byEve, byAda, byGrace], 2, [ada, grace]],
    ['two beside what is no bundle', [byAda, '{}', byGrace], 2, [ada, grace]],
  ])('%s', (_, bundles, minSigners, expected) => {
    expect(signersOf(bundles, minSigners)).toEqual(expected.map(({ fingerprint }) => fingerprint))
  })
})

describe('too few are refused:', () => {
  test.each([
    ['one of two', [byAda], 2, 'too_few_signers'],
    ['one bundle twice', [byAda, byAda], 2, 'too_few_signers'],
    ['two bundles of one key', [byAda, byAdaAgain], 2, 'too_few_signers'],
    ['a second who is not accepted', [byAda, byEve], 2, 'too_few_signers'],
    ['a second who signed another version', [byAda, ofOther], 2, 'too_few_signers'],
    ['a second who signed other files', [byAda, ofOtherFiles], 2, 'too_few_signers'],
    ['a second that is no bundle', [byAda, 'null'], 2, 'too_few_signers'],
    ['a stranger alone', [byEve], 1, 'signer_not_allowed'],
    ['strangers only: the first bundle says why', [byEve, ''], 2, 'signer_not_allowed'],
    ['none', [''], 1, 'bundle_missing'],
    ['no bundle at all', [], 1, 'bundle_missing'],
  ])('%s', (_, bundles, minSigners, code) => {
    expect(codeOf(() => signersOf(bundles, minSigners))).toBe(code)
  })
})
