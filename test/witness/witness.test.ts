import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openWitnessState } from '../../src/store/witness-state.ts'
import { parseCheckpoint } from '../../src/tlog/checkpoint.ts'
import { formatNote, parseNote, verifyNote } from '../../src/tlog/note.ts'
import { formatNoteKey } from '../../src/tlog/note-key.ts'
import { formatWitnessRequest } from '../../src/tlog/proof-text.ts'
import { openWitness } from '../../src/witness/witness.ts'
import { memoryLog, newSigner } from '../support/memory-log.ts'
import { startWitness, type WitnessProcess, witnessKeyFile } from './witness-process.ts'

const signer = newSigner('log.test/catalog')
const words = Array.from({ length: 20 }, (_, at) => `entry ${at}`)
const log = memoryLog(signer, words)
/** The same beginning, then another history, signed by the same key. */
const fork = memoryLog(signer, [...words.slice(0, 5), ...words.slice(5).map((word) => `other ${word}`)])

let dir: string
let keyFile: string
let witness: WitnessProcess
const open: WitnessProcess[] = []
const start = async (state: string, name?: string): Promise<WitnessProcess> => {
  const begun = await startWitness(
    keyFile,
    [formatNoteKey(signer.key)],
    join(dir, state),
    name ? { name } : {},
  )
  open.push(begun)
  return begun
}
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'hookline-witness-'))
  keyFile = await witnessKeyFile(dir)
  witness = await start('state')
})
afterAll(async () => {
  for (const one of open) await one.end('SIGKILL')
  await rm(dir, { recursive: true, force: true })
})

const post = async ({ url }: { url: string }, body: string) => {
  const answer = await fetch(`${url}/add-checkpoint`, { method: 'POST', body })
  return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() }
}
/** Asks for a cosignature of `to` entries, from `from` on. */
const ask = async (at: { url: string }, from: number, to: number, shown = log) => {
  const proof = from > to ? [] : await shown.consistency(from, to)
  return post(at, formatWitnessRequest({ from, proof, note: shown.checkpoint(to) }))
}

describe('a witness', () => {
  test('cosigns a log from its beginning on, each time what continues it', async () => {
    for (const [from, to] of [
      [0, 3],
      [3, 3],
      [3, 7],
    ] as const) {
      const { status, text } = await ask(witness, from, to)
      expect(status).toBe(200)
      const [signed] = verifyNote(parseNote(formatNote(parseNote(log.checkpoint(to)).text, [text])), [
        witness.key,
      ])
      expect(Math.abs((signed?.time ?? 0) - Date.now() / 1000)).toBeLessThan(60)
    }
  })
  test('says where it is to who begins elsewhere', async () => {
    for (const from of [0, 5, 8])
      expect(await ask(witness, from, 9)).toMatchObject({
        status: 409,
        type: 'text/x.tlog.size',
        text: '7\n',
      })
  })
  test('signs no shorter log, no other one of that size, and none that begins otherwise', async () => {
    expect((await ask(witness, 7, 6)).status).toBe(400)
    expect((await ask(witness, 3, 6)).status).toBe(409)
    expect((await ask(witness, 7, 7, fork)).status).toBe(409)
    expect((await ask(witness, 7, 9, fork)).status).toBe(422)
    expect((await ask(witness, 7, 9)).status).toBe(200)
  })
  test('refuses a wrong proof, an unknown log, and a log whose key did not sign', async () => {
    const proof = (await log.consistency(9, 12)).slice(1)
    expect(
      (await post(witness, formatWitnessRequest({ from: 9, proof, note: log.checkpoint(12) }))).status,
    ).toBe(422)
    const unknown = memoryLog(newSigner('log.test/other'), words)
    expect((await ask(witness, 0, 3, unknown)).status).toBe(404)
    const forged = memoryLog(newSigner(signer.key.name), words)
    expect((await ask(witness, 9, 12, forged)).status).toBe(403)
  })
  test.each([
    ['nothing', '', 400],
    ['no proof and no note', 'old 9\n\n', 400],
    ['a size with a sign', 'old +9\n\nx\n', 400],
    ['too much', 'x'.repeat(200_000), 413],
  ])('refuses %s', async (_, body, status) => {
    expect((await post(witness, body)).status).toBe(status)
  })
  test('has nothing else but its key', async () => {
    expect((await fetch(`${witness.url}/other`)).status).toBe(404)
    expect((await fetch(`${witness.url}/add-checkpoint`)).status).toBe(405)
    expect(await (await fetch(witness.url)).text()).toBe(`${formatNoteKey(witness.key)}\n`)
  })
  test('of two histories that are shown at the same time it signs one', async () => {
    const one = await start('race', 'witness.test/race')
    expect((await ask(one, 0, 5)).status).toBe(200)
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, at) => ask(one, 5, 8 + (at % 3), at % 2 === 0 ? log : fork)),
    )
    const signed = answers.flatMap(({ status }, at) => (status === 200 ? [at % 2] : []))
    expect(signed.length).toBeGreaterThan(0)
    expect(new Set(signed).size).toBe(1)
  })
})

describe('its memory', () => {
  test('outlives kill -9 at any moment: what was signed binds it', async () => {
    let one = await start('killed', 'witness.test/killed')
    let signed = 0
    for (const to of [4, 9, 13]) {
      // killed while the request is under way, at another moment each time
      const asked = ask(one, signed, to).catch(() => undefined)
      await new Promise((done) => setTimeout(done, to))
      await one.end('SIGKILL')
      const answer = await asked
      one = await start('killed', 'witness.test/killed')
      const where = Number((await ask(one, 20, 20)).text)
      // it has what it signed; or it keeps more than it answered, never less
      expect(where).toBeGreaterThanOrEqual(answer?.status === 200 ? to : signed)
      expect([signed, to]).toContain(where)
      if (where > 5) expect((await ask(one, where, 20, fork)).status).toBe(422)
      expect((await ask(one, where, to)).status).toBe(200)
      signed = to
    }
  })
  test('is written before it signs', async () => {
    const saved: string[] = []
    const cosigner = newSigner('witness.test/order', 'cosignature')
    const made = await openWitness({
      ...{ signer: cosigner, logs: [signer.key], recoveryKeys: [], say: () => {} },
      state: {
        newest: async () => undefined,
        save: async () => {
          saved.push('saved')
          throw new Error('the disk is full')
        },
      },
      clock: () => {
        saved.push('signed')
        return new Date()
      },
    })
    const request = formatWitnessRequest({ from: 0, proof: [], note: log.checkpoint(3) })
    await expect(made.addCheckpoint(request)).rejects.toThrow('the disk is full')
    expect(saved).toEqual(['saved'])
  })
  test('is one process’s', async () => {
    await expect(start('state')).rejects.toThrow('state_in_use')
  })
  test('that cannot be read is not taken for one that is empty', async () => {
    const state = await openWitnessState(join(dir, 'broken'))
    const { size, root } = parseCheckpoint(parseNote(log.checkpoint(5)).text)
    await state.save('log', { size, root })
    expect((await state.newest('log'))?.size).toBe(5)
    expect(await state.newest('another')).toBeUndefined()
    const [file = ''] = await readdir(join(dir, 'broken'))
    await writeFile(join(dir, 'broken', file), '')
    await expect(state.newest('log')).rejects.toThrow(expect.objectContaining({ code: 'file_unreadable' }))
  })
  test('a key that is a log’s own is refused, and a name that no line can hold', async () => {
    await expect(startWitness(keyFile, [formatNoteKey(witness.key)], join(dir, 'own'))).rejects.toThrow(
      'log_key_invalid',
    )
    const name = 'a name with spaces'
    await expect(
      startWitness(keyFile, [formatNoteKey(signer.key)], join(dir, 'own'), { name }),
    ).rejects.toThrow('log_key_invalid')
  })
})
