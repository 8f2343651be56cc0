import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { WitnessedLog, WitnessState } from '../../src/ports/witness-state.ts'
import { openWitnessState } from '../../src/store/witness-state.ts'
import { appendLeaves, EMPTY_FRONTIER, frontierRoot, leafHash } from '../../src/tlog/merkle.ts'
import { formatNoteKey, noteKeyOf } from '../../src/tlog/note-key.ts'
import { formatWitnessRequest } from '../../src/tlog/proof-text.ts'
import { type Recovery, signRecovery } from '../../src/tlog/recovery.ts'
import { openWitness, type Witness } from '../../src/witness/witness.ts'
import { type MemoryLog, memoryLog, newSigner } from '../support/memory-log.ts'
import { startWitness, type WitnessProcess, witnessKeyFile } from './witness-process.ts'

const signer = newSigner('log.test/catalog')
const renamed = newSigner('log.test/epoch-1/catalog')
const offline = newSigner('log.test/recovery')
const words = Array.from({ length: 12 }, (_, at) => `entry ${at}`)
const GOOD = 6
const log = memoryLog(signer, words)
/** What a registry shows that was restored with the first entries. */
const restored = memoryLog(renamed, [...words.slice(0, GOOD), 'epoch', 'what came then', 'and then'])
/** The same name and key, with another beginning. */
const other = memoryLog(
  renamed,
  words.map((word) => `other ${word}`),
)

const rootOf = (entries: readonly string[]): Buffer =>
  frontierRoot(
    appendLeaves(
      EMPTY_FRONTIER,
      entries.map((entry) => leafHash(Buffer.from(entry))),
    ).frontier,
  )
const recovery: Recovery = {
  ...{ origin: signer.key.name, epoch: 1, size: GOOD, key: renamed.key },
  root: rootOf(words.slice(0, GOOD)),
}
const statement = (change: Partial<Recovery> = {}, by = offline): string =>
  signRecovery({ ...recovery, ...change }, by)

let dir: string
let keyFile: string
const open: WitnessProcess[] = []
const start = async (state: string, recoveryKeys = [formatNoteKey(offline.key)]): Promise<WitnessProcess> => {
  const logs = [formatNoteKey(signer.key)]
  const begun = await startWitness(keyFile, logs, join(dir, state), {
    ...{ name: `witness.test/${state}`, recoveryKeys },
  })
  open.push(begun)
  return begun
}
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'hookline-witness-'))
  keyFile = await witnessKeyFile(dir)
})
afterAll(async () => {
  for (const one of open) await one.end('SIGKILL')
  await rm(dir, { recursive: true, force: true })
})

const post = async ({ url }: WitnessProcess, path: string, body: string) => {
  const answer = await fetch(`${url}/${path}`, { method: 'POST', body })
  return { status: answer.status, text: await answer.text() }
}
/** What a witness says to `to` entries of a log, from `from` on: the status, or where it is. */
const ask = async (at: WitnessProcess, shown: MemoryLog, from: number, to: number): Promise<string> => {
  const proof = from > to ? [] : await shown.consistency(from, to)
  const request = formatWitnessRequest({ from, proof, note: shown.checkpoint(to) })
  const { status, text } = await post(at, 'add-checkpoint', request)
  return status === 409 ? `at ${text.trim()}` : String(status)
}
const tell = (at: WitnessProcess, note: string) => post(at, 'add-recovery', note)

describe('a witness that knows a recovery key', () => {
  test('goes over to the log that its statement names, once and for good', async () => {
    let one = await start('signed-more')
    expect(await ask(one, log, 0, 9)).toBe('200')
    expect(await ask(one, restored, 0, 7)).toBe('404')
    expect(await tell(one, statement())).toEqual({ status: 200, text: `${formatNoteKey(renamed.key)}\n` })
    expect(await ask(one, log, 9, 10)).toBe('404') // it was given up
    expect(await ask(one, restored, 0, 7)).toBe(`at ${GOOD}`)
    expect(await ask(one, other, GOOD, 8)).toBe('422')
    expect(await ask(one, restored, GOOD, 7)).toBe('200')
    for (const keys of [undefined, []]) {
      await one.end('SIGKILL')
      one = await start('signed-more', keys)
      expect(await ask(one, restored, 0, 8)).toBe('at 7')
      expect(await ask(one, log, 9, 10)).toBe('404')
    }
  })
  test('holds the new log to all that it signed of the old one, where that is good', async () => {
    const one = await start('signed-less')
    expect(await ask(one, log, 0, 3)).toBe('200')
    expect((await tell(one, statement())).status).toBe(200)
    expect(await ask(one, restored, 0, 7)).toBe('at 3')
    expect(await ask(one, other, 3, 7)).toBe('422')
    expect(await ask(one, restored, 3, 7)).toBe('200')
  })
  test('is led on from epoch to epoch, and back by no statement', async () => {
    const one = await start('epochs')
    const second = newSigner('log.test/epoch-2/catalog')
    const again = { origin: renamed.key.name, epoch: 2, key: second.key }
    expect((await tell(one, statement(again))).status).toBe(404) // it is not there yet
    expect((await tell(one, statement())).status).toBe(200)
    expect((await tell(one, statement({ key: second.key }))).status).toBe(404)
    expect((await tell(one, statement({ ...again, epoch: 1 }))).status).toBe(422)
    expect((await tell(one, statement({ ...again, key: signer.key }))).status).toBe(422)
    expect((await tell(one, statement(again))).status).toBe(200)
    expect((await tell(one, statement())).status).toBe(404)
    expect(await ask(one, memoryLog(second, words), 0, 7)).toBe('200')
  })

  describe('goes nowhere, and goes on with the log that it knows,', () => {
    let one: WitnessProcess
    let signed = 3
    beforeAll(async () => {
      one = await start('refuses')
      await ask(one, log, 0, signed)
    })
    test.each([
      ['by another key', () => statement({}, newSigner(offline.key.name)), 403],
      ['by the key of the log itself', () => statement({}, signer), 403],
      ['that was changed', () => statement().replace(`\n${GOOD}\n`, '\n5\n'), 403],
      ['about another log', () => statement({ origin: 'log.test/other' }), 404],
      [
        'that names another log of the size that it signed',
        () => statement({ size: signed, root: rootOf(['x']) }),
        422,
      ],
      ['to a log that has the key of the witness', () => statement({ key: ownKey() }), 422],
      ['that is none', () => log.checkpoint(4), 422],
      ['of nothing', () => '', 400],
    ])('after a statement %s', async (_, note, status) => {
      expect((await tell(one, note())).status).toBe(status)
      expect(await ask(one, log, signed, ++signed)).toBe('200')
      expect(await ask(one, restored, 0, 7)).toBe('404')
    })
    const ownKey = () => noteKeyOf(renamed.key.name, 'note', one.key.key)
  })
  test('does not listen to a log’s own key, and starts with none that is one', async () => {
    await expect(start('own', [formatNoteKey(signer.key)])).rejects.toThrow('log_key_invalid')
  })
})

test('a witness that knows no recovery key goes nowhere', async () => {
  const one = await start('alone', [])
  expect((await tell(one, statement())).status).toBe(403)
  expect(await ask(one, log, 0, 3)).toBe('200')
})

describe('its memory', () => {
  const made = (state: WitnessState, logs = [signer.key]): Promise<Witness> =>
    openWitness({
      ...{
        signer: newSigner('witness.test/memory', 'cosignature'),
        logs,
        recoveryKeys: [offline.key],
        state,
      },
      ...{ clock: () => new Date(), say: () => {} },
    })
  const at = async (witness: Witness, shown: MemoryLog): Promise<unknown> => {
    const note = shown.checkpoint(9)
    return witness.addCheckpoint(
      formatWitnessRequest({ from: 8, proof: await shown.consistency(8, 9), note }),
    )
  }

  test('of a log whose key was named by hand is not set back', async () => {
    const state = await openWitnessState(join(dir, 'by-hand'))
    const { key } = renamed
    await state.save(key.name, { size: 7, root: rootOf(['what it signed']) })
    const witness = await made(state, [signer.key, key])
    await witness.addRecovery(statement())
    expect(await at(witness, restored)).toEqual({ kind: 'conflict', size: 7 })
    expect(await state.newest(key.name)).toEqual({ size: 7, root: rootOf(['what it signed']) })
  })
  test('has the new log before it gives up the old one: a crash in between leaves the old one', async () => {
    const state = await openWitnessState(join(dir, 'crash'))
    await state.save(signer.key.name, { size: 8, root: rootOf(words.slice(0, 8)) })
    const full: WitnessState = {
      ...state,
      save: (origin, kept: WitnessedLog) =>
        kept.goesOn === undefined ? state.save(origin, kept) : Promise.reject(new Error('the disk is full')),
    }
    await expect((await made(full)).addRecovery(statement())).rejects.toThrow('the disk is full')
    const witness = await made(state)
    expect(await at(witness, log)).toMatchObject({ kind: 'cosigned' })
    await witness.addRecovery(statement())
    await expect(at(witness, log)).rejects.toThrow(expect.objectContaining({ code: 'not_found' }))
    expect(await at(witness, restored)).toEqual({ kind: 'conflict', size: GOOD })
  })
})
