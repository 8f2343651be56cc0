import { describe, expect, test } from 'vitest'
import { NodeRevocations } from '../../src/agent/revocations.ts'
import { type PrivateKey, type PublicKey, sha256Digest } from '../../src/attest/keys.ts'
import { signRevocation } from '../../src/attest/revocation.ts'
import { DomainError } from '../../src/domain/errors.ts'
import { BelievedRevocation, type RevocationNote } from '../../src/domain/kept-log.ts'
import { LIMITS } from '../../src/domain/limits.ts'
import type { Revoked } from '../../src/domain/log-entry.ts'
import type { Digest } from '../../src/domain/names.ts'
import type { SignedRevocation } from '../../src/domain/revocation.ts'
import { parseTrustPolicy } from '../../src/domain/trust-policy.ts'
import { newKey } from '../http/release-builder.ts'

const [acme, other, operator, stranger] = [newKey(), newKey(), newKey('ed25519'), newKey()]
const POLICY = parseTrustPolicy(`
operators: [{ key: "${operator.fingerprint}" }]
programs:
  - { match: "acme/*", signers: [{ key: "${acme.fingerprint}" }] }
  - { match: "other/*", signers: [{ key: "${other.fingerprint}" }] }
`)
const LIMIT: Revoked = { kind: 'release', program: 'acme/limit', version: '1.0.0' }
const FILE: Revoked = { kind: 'file', digest: sha256Digest(Buffer.from('object')) }

const keyText = ({ publicKey }: PrivateKey): string => publicKey.spki.toString('base64')
const signed = (revoked: Revoked, by: PrivateKey, shownAs = by): SignedRevocation => ({
  envelope: signRevocation(
    { revoked, reason: 'faulty', message: 'drops too much', at: '2026-05-01T12:00:00.000Z' },
    by,
  ),
  key: keyText(shownAs),
})
const keyless = ({ envelope }: SignedRevocation): SignedRevocation => ({ envelope })
/** The same document as another text. */
const spaced = ({ envelope, ...key }: SignedRevocation, by = 1): SignedRevocation => ({
  ...key,
  envelope: envelope.replace('{', `{${' '.repeat(by)}`),
})
const digestOf = ({ envelope }: SignedRevocation): Digest => sha256Digest(Buffer.from(envelope))
const release = (version: string, content = 'object') => ({
  ...{ program: 'acme/limit', version },
  files: [{ digest: sha256Digest(Buffer.from(content)) }],
})

/** A node's revocations over a disk and a registry in memory; `keys` are those that it has from elsewhere. */
function opened(
  shown: readonly (SignedRevocation & { digest?: Digest })[] = [],
  disk = new Map<Digest, BelievedRevocation>(),
  keys: readonly PublicKey[] = [],
  isFull = () => false,
) {
  const said: string[] = []
  const revocations = new NodeRevocations({
    state: {
      revocations: async () => [...disk.values()],
      saveRevocation: async (one) => {
        if (isFull()) throw new DomainError('file_unwritable', 'no space left')
        disk.set(one.digest, one)
      },
    },
    registry: {
      revocation: async (digest) => {
        const found = shown.find((one) => (one.digest ?? digestOf(one)) === digest)
        if (found === undefined) throw new DomainError('not_found', 'there is none')
        return found
      },
    },
    keys: async () => keys,
    say: (line) => said.push(line),
  })
  return { revocations, disk, said }
}
const codesOf = ({ problems }: NodeRevocations): string[] => problems.map(({ code }) => code)
const never = new AbortController().signal

describe('what is sent', () => {
  test.each<[string, SignedRevocation, Revoked]>([
    ['of a release by a signer of its rule', signed(LIMIT, acme), LIMIT],
    ['of a release by an operator', signed(LIMIT, operator), LIMIT],
    ['of a file by an operator', signed(FILE, operator), FILE],
  ])('is believed %s, kept before it counts, and survives all', async (_, one, revoked) => {
    const { revocations, disk, said } = opened()
    expect((await revocations.review([one], POLICY)).map(({ revocation }) => revocation.revoked)).toEqual([
      revoked,
    ])
    expect([...disk.keys()]).toEqual([digestOf(one)])
    expect(said).toHaveLength(1)
    expect(await revocations.review([one], POLICY)).toEqual([]) // it is not new again
    const later = opened([], disk).revocations
    await later.open()
    expect(later.of(release('1.0.0'))?.digest).toBe(digestOf(one))
    // not even a policy that names nobody takes it back
    await later.review([], parseTrustPolicy('programs: []'))
    expect(later.counts).toEqual({ believed: 1, ignored: 0 })
  })
  test('is of one release, or of all that have the file', async () => {
    const { revocations } = opened()
    await revocations.review([signed(LIMIT, acme)], POLICY)
    expect(revocations.of(release('1.0.1'))).toBe(undefined)
    await revocations.review([signed(FILE, operator)], POLICY)
    expect(revocations.of(release('1.0.1'))).toBeDefined()
    expect(revocations.of(release('1.0.1', 'another object'))).toBe(undefined)
  })

  const tampered = ((): SignedRevocation => {
    const { envelope, key } = signed(LIMIT, acme)
    const parsed = JSON.parse(envelope)
    const payload = Buffer.from(parsed.payload, 'base64').toString().replace('1.0.0', '1.0.1')
    return { envelope: JSON.stringify({ ...parsed, payload: Buffer.from(payload).toString('base64') }), key }
  })()
  test.each<[string, SignedRevocation]>([
    ['of a stranger', signed(LIMIT, stranger)],
    ['of a stranger, under the key of another', signed(LIMIT, stranger, acme)],
    ['of the signer of another program', signed(LIMIT, other)],
    ['of a file by a publisher', signed(FILE, acme)],
    ['altered to name another version', tampered],
    ['that is none', { envelope: '{}', key: acme.publicKey.spki.toString('base64') }],
  ])('is ignored %s, reported, and looked at once', async (_, one) => {
    const { revocations, disk, said } = opened()
    for (const _time of [1, 2]) expect(await revocations.review([one], POLICY)).toEqual([])
    expect(disk.size).toBe(0)
    expect(codesOf(revocations)).toEqual(['revocation_ignored'])
    expect(said).toHaveLength(1)
    for (const version of ['1.0.0', '1.0.1']) expect(revocations.of(release(version))).toBe(undefined)
  })
  test.each<[string, SignedRevocation]>([
    ['without the key', keyless(signed(LIMIT, acme))],
    ['with a key of another', signed(LIMIT, acme, stranger)],
    ['with a key that nobody can read', { ...signed(LIMIT, acme), key: 'AAAA' }],
  ])(
    'is not ignored that comes %s of who may: it is believed as soon as the key is there',
    async (_, one) => {
      const { revocations, said } = opened()
      for (const _time of [1, 2]) expect(await revocations.review([one], POLICY)).toEqual([])
      expect([said, revocations.counts.ignored]).toEqual([[], 0])
      expect(codesOf(revocations)).toEqual(['revocation_withheld'])
      expect(await revocations.review([{ ...one, key: keyText(acme) }], POLICY)).toHaveLength(1)
      expect(codesOf(revocations)).toEqual([])
      const known = opened([], new Map(), [acme.publicKey])
      expect(await known.revocations.review([one], POLICY)).toMatchObject([{ key: keyText(acme) }])
    },
  )
  test('is neither believed nor ignored while the disk takes nothing', async () => {
    const one = signed(LIMIT, acme)
    let full = true
    const { revocations, disk } = opened([one], new Map(), [], () => full)
    const notes = [{ revoked: LIMIT, envelope: digestOf(one) }]
    for (const review of [
      () => revocations.review([one], POLICY),
      () => revocations.reviewNotes(notes, POLICY, never),
    ])
      await expect(review()).rejects.toMatchObject({ code: 'file_unwritable' })
    expect([revocations.counts, revocations.problems]).toEqual([{ believed: 0, ignored: 0 }, []])
    full = false
    expect(await revocations.reviewNotes(notes, POLICY, never)).toHaveLength(1)
    expect([...disk.keys()]).toEqual([digestOf(one)])
  })
  test('is looked at again under another policy', async () => {
    const { revocations } = opened()
    const one = signed(LIMIT, stranger)
    await revocations.review([one], POLICY)
    const wider = parseTrustPolicy(`operators: [{ key: "${stranger.fingerprint}" }]`)
    expect(await revocations.review([one], wider)).toHaveLength(1)
    expect(revocations.problems).toEqual([])
  })
})

describe('what says nothing new', () => {
  test('is kept once, however it is written and whoever signed it', async () => {
    const { revocations, disk, said } = opened()
    const one = signed(LIMIT, acme)
    const more = Array.from({ length: 200 }, (_, at) => spaced(one, at + 1))
    expect(await revocations.review([one, ...more, signed(LIMIT, operator)], POLICY)).toHaveLength(1)
    expect([disk.size, said.length, revocations.counts.believed]).toEqual([1, 1, 1])
    expect(codesOf(revocations)).toEqual([])
  })
  test('is not asked for', async () => {
    const one = signed(LIMIT, acme)
    const { revocations } = opened() // a registry that has nothing
    await revocations.review([one], POLICY)
    await revocations.reviewNotes([noteOf(one), noteOf(spaced(one))], POLICY, never)
    expect(codesOf(revocations)).toEqual([])
  })
  test('does not come without end from one signer', async () => {
    const version = (at: number) =>
      ({ kind: 'release', program: 'acme/limit', version: `1.0.${at}` }) as const
    const from = signed(LIMIT, acme)
    const disk = new Map(
      Array.from({ length: LIMITS.signer_revocations }, (_, at) => {
        const digest = sha256Digest(Buffer.from(`${at}`))
        const document = {
          revoked: version(at),
          reason: 'faulty',
          message: 'x',
          at: '2026-05-01T12:00:00.000Z',
        }
        return [
          digest,
          BelievedRevocation.parse({ ...from, digest, revocation: document, signer: acme.fingerprint }),
        ]
      }),
    )
    const last = signed(version(LIMITS.signer_revocations), acme)
    const { revocations } = opened([last], disk)
    await revocations.open()
    expect(await revocations.review([last], POLICY)).toEqual([])
    expect(codesOf(revocations)).toEqual(['too_large'])
    // it is not taken for nothing either, and others are believed
    const note = noteOf(last, version(LIMITS.signer_revocations))
    await revocations.reviewNotes([note], POLICY, never)
    expect(() => revocations.requireNotWithheld(release(`1.0.${LIMITS.signer_revocations}`), [note])).toThrow(
      expect.objectContaining({ code: 'revocation_withheld' }),
    )
    expect(await revocations.review([signed(FILE, operator)], POLICY)).toHaveLength(1)
  })
})

const noteOf = (one: SignedRevocation, revoked: Revoked = LIMIT): RevocationNote => ({
  revoked,
  envelope: digestOf(one),
})
describe('what the log notes', () => {
  const withheld = expect.objectContaining({ code: 'revocation_withheld' })
  test('is fetched and believed', async () => {
    const one = signed(LIMIT, acme)
    const { revocations } = opened([one])
    expect(await revocations.reviewNotes([noteOf(one)], POLICY, never)).toHaveLength(1)
    expect(revocations.of(release('1.0.0'))).toBeDefined()
  })
  test('is withheld where nobody shows it, until somebody does', async () => {
    const one = signed(LIMIT, acme)
    const { revocations } = opened()
    const notes = [noteOf(one)]
    // before it was asked for, too
    await revocations.review([], POLICY)
    expect(() => revocations.requireNotWithheld(release('1.0.0'), notes)).toThrow(withheld)
    await revocations.reviewNotes(notes, POLICY, never)
    expect(codesOf(revocations)).toEqual(['revocation_withheld'])
    expect(() => revocations.requireNotWithheld(release('1.0.0'), notes)).toThrow(withheld)
    revocations.requireNotWithheld(release('1.0.1', 'another'), notes)
    expect(revocations.of(release('1.0.0'))).toBe(undefined) // an entry alone takes nothing down
    expect(await revocations.review([one], POLICY)).toHaveLength(1)
    await revocations.reviewNotes(notes, POLICY, never)
    expect(codesOf(revocations)).toEqual([])
  })
  test.each<[string, PrivateKey, (one: SignedRevocation) => SignedRevocation]>([
    ['without the key of its publisher', acme, keyless],
    ['without the key of an operator', operator, keyless],
    ['with a key that did not sign it', acme, (one) => ({ ...one, key: keyText(stranger) })],
    ['with another signer’s key', operator, (one) => ({ ...one, key: keyText(acme) })],
    ['with a key that nobody can read', acme, (one) => ({ ...one, key: 'AAAA' })],
    ['as another text', acme, spaced],
  ])('is withheld, not ignored, where it is shown %s', async (_, by, change) => {
    const one = signed(LIMIT, by)
    const notes = [noteOf(one)]
    const shown = { ...change(one), digest: digestOf(one) }
    const { revocations, said } = opened([shown])
    for (const _time of [1, 2]) expect(await revocations.reviewNotes(notes, POLICY, never)).toEqual([])
    expect([codesOf(revocations), said]).toEqual([['revocation_withheld'], []])
    expect(() => revocations.requireNotWithheld(release('1.0.0'), notes)).toThrow(withheld)
    // nor does it keep the truth from being believed
    expect(await revocations.review([one], POLICY)).toHaveLength(1)
  })
  test('is believed by a key that the node has from elsewhere, whatever key is shown', async () => {
    for (const shown of [keyless(signed(LIMIT, acme)), signed(LIMIT, acme, stranger)]) {
      const { revocations, disk } = opened([shown], new Map(), [acme.publicKey])
      expect(await revocations.reviewNotes([noteOf(shown)], POLICY, never)).toHaveLength(1)
      expect([...disk.values()]).toMatchObject([{ key: keyText(acme), signer: acme.fingerprint }])
    }
  })
  test.each<[string, SignedRevocation]>([
    ['a stranger', signed(LIMIT, stranger)],
    ['a stranger whose key is not shown', keyless(signed(LIMIT, stranger))],
    ['the signer of another program', signed(LIMIT, other)],
  ])('is ignored of %s, and keeps nothing from being loaded, after a restart neither', async (_, one) => {
    const { revocations } = opened([one])
    const notes = [noteOf(one)]
    await revocations.reviewNotes(notes, POLICY, never)
    expect(codesOf(revocations)).toEqual(['revocation_ignored'])
    revocations.requireNotWithheld(release('1.0.0'), notes)
    const kept = notes.map((note) => ({ ...note, ignored: revocations.ignoredUnder(note) ?? expect.fail() }))
    const mute = opened().revocations
    await mute.review([], POLICY)
    mute.requireNotWithheld(release('1.0.0'), kept)
    await mute.reviewNotes(kept, POLICY, never)
    expect(codesOf(mute)).toEqual([])
    // under another policy it may count
    await mute.review([], { ...POLICY, operators: [{ key: stranger.fingerprint }] })
    expect(() => mute.requireNotWithheld(release('1.0.0'), kept)).toThrow(withheld)
  })
  test('about another release than was signed is ignored, and what was signed is believed', async () => {
    const one = signed(LIMIT, acme)
    const { revocations } = opened([one])
    const untrue = noteOf(one, { ...LIMIT, version: '1.0.1' })
    expect(await revocations.reviewNotes([untrue, noteOf(one)], POLICY, never)).toMatchObject([
      { revocation: { revoked: LIMIT } },
    ])
    expect(codesOf(revocations)).toEqual(['revocation_ignored'])
    revocations.requireNotWithheld(release('1.0.1', 'another'), [untrue])
    expect(revocations.of(release('1.0.0'))).toBeDefined()
  })
  test('about programs of no rule is nothing to ask for', async () => {
    const one = signed(LIMIT, acme)
    const note = noteOf(one, { kind: 'release', program: 'else/where', version: '1.0.0' })
    const { revocations } = opened()
    await revocations.reviewNotes([note], POLICY, never)
    expect(revocations.problems).toEqual([])
  })
})
