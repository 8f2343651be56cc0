import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/domain/limits.ts'
import { formatCheckpoint, parseCheckpoint, signCheckpoint } from '../../src/tlog/checkpoint.ts'
import { acceptCheckpoint, type LogPolicy, type LogState, unseenLog } from '../../src/tlog/log-state.ts'
import { EMPTY_ROOT } from '../../src/tlog/merkle.ts'
import { formatNote, parseNote, signatureLine } from '../../src/tlog/note.ts'
import { asCosigner, noteKeyOf } from '../../src/tlog/note-key.ts'
import { consistencyProof } from '../../src/tlog/proof.ts'
import { acceptRecovery, type Recovery, signRecovery } from '../../src/tlog/recovery.ts'
import { codeOf } from '../attest/craft.ts'
import { naiveRoot, nodesOf, randomEntries, randomNumbers } from './naive.ts'
import { newSigner } from './signers.ts'

const NOW = 1_800_000_000
const now = new Date(NOW * 1000)
const entries = randomEntries(40, randomNumbers(5))
const read = nodesOf(entries)
const rootAt = (size: number): Buffer => naiveRoot(entries.slice(0, size))
const log = newSigner('registry.example/log')
const stateAt = (size: number): LogState => ({ ...unseenLog(log.key), size, root: rootAt(size) })
const checkpointAt = (size: number, root = rootAt(size), time = NOW, signer = log): string =>
  signCheckpoint({ origin: 'registry.example/log', size, root, extensions: [] }, signer, time)
const NOBODY: LogPolicy = { maxAge_s: 3600, witnesses: { keys: [], threshold: 0 } }
const proofOf = (from: number, to: number): Promise<Buffer[]> => consistencyProof(from, to, read)

describe('a checkpoint', () => {
  test.each([
    [0, 0],
    [0, 9],
    [9, 9],
    [9, 10],
    [16, 40],
  ])('from %i to %i is accepted and remembered', async (from, to) => {
    const shown = { note: checkpointAt(to), proof: await proofOf(from, to) }
    const state = acceptCheckpoint(stateAt(from), shown, NOBODY, now)
    expect(state).toEqual(stateAt(to))
    expect(acceptCheckpoint(state, { ...shown, proof: [] }, NOBODY, now)).toEqual(state)
  })

  const codeFor = (
    from: number,
    note: string,
    proof: readonly Buffer[] = [],
    policy = NOBODY,
    at = now,
  ): string => codeOf(() => acceptCheckpoint(stateAt(from), { note, proof }, policy, at))

  test('that is shorter is refused, whoever signed it', () => {
    expect(codeFor(9, checkpointAt(8))).toBe('log_rollback')
    expect(codeFor(9, checkpointAt(0))).toBe('log_rollback')
  })

  test('of the same size with another root is a fork', () => {
    expect(codeFor(9, checkpointAt(9, rootAt(8)))).toBe('log_fork')
    expect(codeFor(0, checkpointAt(0, rootAt(8)))).toBe('log_fork')
  })

  test('of a log that began otherwise is a fork, with the other log’s own proof', async () => {
    const others = entries.with(3, Buffer.from('another'))
    const note = checkpointAt(20, naiveRoot(others.slice(0, 20)))
    expect(codeFor(9, note, await consistencyProof(9, 20, nodesOf(others)))).toBe('log_fork')
    expect(codeFor(9, note, await proofOf(9, 20))).toBe('log_proof_invalid')
    expect(codeFor(9, note)).toBe('log_proof_invalid')
  })

  test('with a proof too much is refused', async () => {
    expect(codeFor(0, checkpointAt(9), await proofOf(5, 9))).toBe('log_proof_invalid')
    expect(codeFor(9, checkpointAt(9), await proofOf(5, 9))).toBe('log_proof_invalid')
  })

  test('is refused when another key signed it, or none, or it is of another log', () => {
    const impostor = newSigner('registry.example/log')
    expect(codeFor(0, checkpointAt(9, rootAt(9), NOW, impostor))).toBe('log_untrusted')
    const other = { origin: 'registry.example/other', size: 9, root: rootAt(9), extensions: [] }
    expect(codeFor(0, signCheckpoint(other, log, NOW))).toBe('log_untrusted')
    const cosigner = { key: asCosigner(log.key), privateKey: log.privateKey }
    const { text } = parseNote(checkpointAt(9))
    expect(codeFor(0, formatNote(text, [signatureLine(text, cosigner, NOW)]))).toBe('log_untrusted')
    expect(codeFor(0, checkpointAt(9).replace('\n9\n', '\n10\n'))).toBe('log_untrusted')
    expect(codeFor(0, text)).toBe('log_malformed')
  })

  test('is refused when its log signed something that is no checkpoint', () => {
    const text = 'registry.example/log\nnine\n'
    expect(codeFor(0, formatNote(text, [signatureLine(text, log)]))).toBe('log_malformed')
  })

  test('is fresh by the log’s own word: not too old, not of the future, not without', () => {
    const at = (time: number): string => codeFor(9, checkpointAt(9, rootAt(9), time))
    expect(at(NOW - 3600)).toBe('no error')
    expect(at(NOW - 3601)).toBe('log_stale')
    expect(at(NOW + LIMITS.log_skew_s)).toBe('no error')
    expect(at(NOW + LIMITS.log_skew_s + 1)).toBe('log_stale')
    const { text } = parseNote(checkpointAt(9))
    expect(codeFor(9, formatNote(text, [signatureLine(text, log)]))).toBe('log_stale')
    expect(codeFor(9, checkpointAt(9), [], NOBODY, new Date(Number.NaN))).toBe('log_stale')
  })

  describe('with witnesses', () => {
    const witnesses = ['w1', 'w2', 'w3'].map((name) => newSigner(`${name}.example`, 'cosignature'))
    const [one, two, three] = witnesses
    const policy = (threshold: number, keys = witnesses.map(({ key }) => key)): LogPolicy => ({
      ...NOBODY,
      witnesses: { keys, threshold },
    })
    const signedBy = (signers: (typeof one)[], time = NOW): string => {
      const note = checkpointAt(9)
      const { text } = parseNote(note)
      return (
        note +
        signers.map((signer) => (signer === undefined ? '' : signatureLine(text, signer, time))).join('')
      )
    }

    test('needs as many as the policy asks', () => {
      expect(codeFor(9, signedBy([one, three]), [], policy(2))).toBe('no error')
      expect(codeFor(9, signedBy([one]), [], policy(2))).toBe('witnesses_missing')
      expect(codeFor(9, signedBy([]), [], policy(1))).toBe('witnesses_missing')
      expect(codeFor(9, signedBy([one, two, three]), [], policy(4))).toBe('witnesses_missing')
    })

    test('counts each key once: by lines, in the list, and under two names', () => {
      expect(codeFor(9, signedBy([one, one, one]), [], policy(2))).toBe('witnesses_missing')
      const [key] = policy(1).witnesses.keys
      if (one === undefined || key === undefined) throw new Error('no witness')
      expect(codeFor(9, signedBy([one]), [], policy(2, [key, key]))).toBe('witnesses_missing')
      const alias = {
        key: noteKeyOf('alias.example', 'cosignature', one.privateKey),
        privateKey: one.privateKey,
      }
      expect(codeFor(9, signedBy([one, alias]), [], policy(2, [key, alias.key]))).toBe('witnesses_missing')
    })

    test('never counts the log itself, strangers, or signatures without a time', () => {
      const own = { key: noteKeyOf('me.example', 'cosignature', log.privateKey), privateKey: log.privateKey }
      expect(codeFor(9, signedBy([own]), [], policy(1, [own.key, asCosigner(log.key)]))).toBe(
        'witnesses_missing',
      )
      expect(codeFor(9, signedBy([newSigner('w1.example', 'cosignature')]), [], policy(1))).toBe(
        'witnesses_missing',
      )
      const plain = newSigner('w4.example')
      const note = checkpointAt(9)
      const line = signatureLine(parseNote(note).text, plain)
      expect(codeFor(9, note + line, [], policy(1, [plain.key]))).toBe('witnesses_missing')
    })

    test('counts only those who signed recently', () => {
      expect(codeFor(9, signedBy([one, two], NOW - 3601), [], policy(2))).toBe('log_stale')
      expect(codeFor(9, signedBy([one, two], NOW + 3600), [], policy(2))).toBe('log_stale')
      expect(codeFor(9, signedBy([one, two], NOW - 3600), [], policy(2))).toBe('no error')
    })

    test('is refused when one that is known did not sign this', () => {
      if (one === undefined) throw new Error('no witness')
      const bad = signatureLine(parseNote(checkpointAt(8)).text, one, NOW)
      expect(codeFor(9, checkpointAt(9) + bad, [], policy(0))).toBe('log_untrusted')
    })
  })
})

describe('a recovery', () => {
  const offline = newSigner('registry.example/recovery')
  const next = newSigner('registry.example/log-2')
  const recovery: Recovery = { origin: log.key.name, epoch: 1, size: 9, root: rootAt(9), key: next.key }
  const accept = (seen: LogState, note = signRecovery(recovery, offline)) =>
    acceptRecovery(seen, note, [offline.key])
  const codeFor = (change: Partial<Recovery>, seen = stateAt(9)): string =>
    codeOf(() => accept(seen, signRecovery({ ...recovery, ...change }, offline)))

  test('leads a reader to the new log, which must continue what was seen of the old', async () => {
    for (const size of [0, 5, 9]) {
      const { state, lost } = accept(stateAt(size))
      expect(lost).toBe(0)
      expect(state).toEqual({ key: next.key, epoch: 1, size, root: rootAt(size) })
      const checkpoint = { origin: next.key.name, size: 12, root: rootAt(12), extensions: [] }
      const shown = { note: signCheckpoint(checkpoint, next, NOW), proof: await proofOf(size, 12) }
      expect(acceptCheckpoint(state, shown, NOBODY, now).size).toBe(12)
      const old = { note: checkpointAt(12), proof: await proofOf(size, 12) }
      expect(codeOf(() => acceptCheckpoint(state, old, NOBODY, now))).toBe('log_untrusted')
    }
  })

  test('takes a reader who saw more back to what is left, and says how much is lost', () => {
    expect(accept(stateAt(20))).toEqual({
      state: { key: next.key, epoch: 1, size: 9, root: rootAt(9) },
      lost: 11,
    })
  })

  test('is refused when another key signed it: the log’s own, a stranger’s, or none that is kept', () => {
    for (const signer of [log, next, newSigner('registry.example/recovery')])
      expect(codeOf(() => accept(stateAt(9), signRecovery(recovery, signer)))).toBe('log_untrusted')
    expect(codeOf(() => acceptRecovery(stateAt(9), signRecovery(recovery, offline), []))).toBe(
      'log_untrusted',
    )
    const changed = signRecovery(recovery, offline).replace('\n9\n', '\n8\n')
    expect(codeOf(() => accept(stateAt(9), changed))).toBe('log_untrusted')
  })

  test('is refused with a cosignature in the place of a signature', () => {
    const cosigner = { key: asCosigner(offline.key), privateKey: offline.privateKey }
    const { text } = parseNote(signRecovery(recovery, offline))
    const note = formatNote(text, [signatureLine(text, cosigner, NOW)])
    expect(codeOf(() => acceptRecovery(stateAt(9), note, [offline.key, cosigner.key]))).toBe('log_untrusted')
  })

  test('is refused for another log, another history, and an epoch that was', () => {
    expect(codeFor({ origin: 'registry.example/other' })).toBe('log_recovery_invalid')
    expect(codeFor({ root: rootAt(8) })).toBe('log_fork')
    expect(codeFor({ epoch: 1 }, { ...stateAt(9), epoch: 1 })).toBe('log_recovery_invalid')
    expect(codeFor({ epoch: 3 }, { ...stateAt(9), epoch: 1 })).toBe('no error')
    const { state } = accept(stateAt(9))
    expect(codeOf(() => accept(state))).toBe('log_recovery_invalid')
  })

  test('is not made with an epoch of 0, the old name, a root too short, or a key that cosigns', () => {
    for (const change of [
      { epoch: 0 },
      { epoch: 1.5 },
      { size: -1 },
      { root: EMPTY_ROOT.subarray(1) },
      { origin: '' },
      { key: newSigner(log.key.name).key },
      { key: asCosigner(next.key) },
    ])
      expect(codeFor(change)).toBe('log_recovery_invalid')
  })

  test.each([
    ['another header', (text: string) => text.replace('/v1', '/v2')],
    ['a line more', (text: string) => `${text}more\n`],
    ['an empty line more', (text: string) => `${text}\n`],
    ['a line less', (text: string) => text.replace('\n9\n', '\n')],
    ['a checkpoint for it', () => parseNote(checkpointAt(9)).text],
  ])('is refused with %s, though the recovery key signed that', (_, change) => {
    const text = change(parseNote(signRecovery(recovery, offline)).text)
    const note = formatNote(text, [signatureLine(text, offline)])
    expect(codeOf(() => accept(stateAt(9), note))).toBe('log_recovery_invalid')
  })

  test('is no checkpoint', () => {
    const { text } = parseNote(signRecovery(recovery, offline))
    expect(codeOf(() => parseCheckpoint(text))).toBe('log_malformed')
    expect(formatCheckpoint(parseCheckpoint(parseNote(checkpointAt(9)).text))).toBe(
      parseNote(checkpointAt(9)).text,
    )
  })
})
