import { describe, expect, test } from 'vitest'
import { NodeRevocations } from '../../src/agent/revocations.ts'
import { type PrivateKey, sha256Digest } from '../../src/attest/keys.ts'
import { signRevocation } from '../../src/attest/revocation.ts'
import { DomainError } from '../../src/domain/errors.ts'
import type { BelievedRevocation } from '../../src/domain/kept-log.ts'
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

const signed = (revoked: Revoked, by: PrivateKey, shownAs = by): SignedRevocation => ({
  envelope: signRevocation(
    { revoked, reason: 'faulty', message: 'drops too much', at: '2026-05-01T12:00:00.000Z' },
    by,
  ),
  key: shownAs.publicKey.spki.toString('base64'),
})
const digestOf = ({ envelope }: SignedRevocation): Digest => sha256Digest(Buffer.from(envelope))
const release = (version: string, content = 'object') => ({
  ...{ program: 'acme/limit', version },
  files: [{ digest: sha256Digest(Buffer.from(content)) }],
})

/** A node's revocations over a disk and a registry in memory. */
function opened(
  shown: readonly SignedRevocation[] = [],
  disk = new Map<Digest, BelievedRevocation>(),
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
        const found = shown.find((one) => digestOf(one) === digest)
        if (found === undefined) throw new DomainError('not_found', 'there is none')
        return found
      },
    },
    say: (line) => said.push(line),
  })
  return { revocations, disk, said }
}
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
    ['with a key that nobody can read', { ...signed(LIMIT, acme), key: 'AAAA' }],
  ])('is ignored %s, reported, and looked at once', async (_, one) => {
    const { revocations, disk, said } = opened()
    for (const _time of [1, 2]) expect(await revocations.review([one], POLICY)).toEqual([])
    expect(disk.size).toBe(0)
    expect(revocations.problems.map(({ code }) => code)).toEqual(['revocation_ignored'])
    expect(said).toHaveLength(1)
    for (const version of ['1.0.0', '1.0.1']) expect(revocations.of(release(version))).toBe(undefined)
  })
  test('is neither believed nor ignored while the disk takes nothing', async () => {
    const one = signed(LIMIT, acme)
    let full = true
    const { revocations, disk } = opened([one], new Map(), () => full)
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

describe('what the log notes', () => {
  const noteOf = (one: SignedRevocation, revoked: Revoked = LIMIT) => ({ revoked, envelope: digestOf(one) })
  test('is fetched and believed', async () => {
    const one = signed(LIMIT, acme)
    const { revocations } = opened([one])
    expect(await revocations.reviewNotes([noteOf(one)], POLICY, never)).toHaveLength(1)
    expect(revocations.of(release('1.0.0'))).toBeDefined()
  })
  test('is withheld where nobody shows it, until somebody does', async () => {
    const one = signed(LIMIT, acme)
    const [mute, shown] = [opened(), opened([one])]
    await mute.revocations.reviewNotes([noteOf(one)], POLICY, never)
    expect(() => mute.revocations.requireNotWithheld(release('1.0.0'))).toThrow(
      expect.objectContaining({ code: 'revocation_withheld' }),
    )
    mute.revocations.requireNotWithheld(release('1.0.1', 'another'))
    expect(mute.revocations.of(release('1.0.0'))).toBe(undefined) // an entry alone takes nothing down
    await shown.revocations.reviewNotes([noteOf(one)], POLICY, never)
    shown.revocations.requireNotWithheld(release('1.0.0'))
  })
  test('about another release than was signed is ignored', async () => {
    const one = signed(LIMIT, acme)
    const { revocations } = opened([one])
    const note = noteOf(one, { ...LIMIT, version: '1.0.1' })
    expect(await revocations.reviewNotes([note], POLICY, never)).toEqual([])
    expect(revocations.problems.map(({ code }) => code)).toEqual(['revocation_ignored'])
  })
  test('about programs of no rule is nothing to ask for', async () => {
    const one = signed(LIMIT, acme)
    const note = noteOf(one, { kind: 'release', program: 'else/where', version: '1.0.0' })
    const { revocations } = opened()
    await revocations.reviewNotes([note], POLICY, never)
    expect(revocations.problems).toEqual([])
  })
})
