import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { identitySettings } from '../../src/bin/identity-settings.ts'
import { logSettings } from '../../src/bin/log-key.ts'
import { DomainError } from '../../src/domain/errors.ts'
import { LogList } from '../../src/domain/log.ts'
import { PATIENT } from '../../src/http/protection.ts'
import { parseCheckpoint } from '../../src/tlog/checkpoint.ts'
import { acceptCheckpoint, unseenLog } from '../../src/tlog/log-state.ts'
import { parseNote, signatureLine } from '../../src/tlog/note.ts'
import { asCosigner, formatNoteKey, type NoteKey, noteKeyOf } from '../../src/tlog/note-key.ts'
import { parseWitnessRequest } from '../../src/tlog/proof-text.ts'
import { buildRelease, newKey, openNamespace, publishAt } from '../http/release-builder.ts'
import { type RunningRegistry, startRegistry } from '../http/running-registry.ts'
import { newLogIdentity } from '../support/log-identity.ts'
import { newSigner } from '../support/memory-log.ts'
import { startWitness, type WitnessProcess, witnessKeyFile } from '../witness/witness-process.ts'

const ORIGIN = 'registry.test'
const logIdentity = newLogIdentity(ORIGIN)
const keys = (['catalog', 'revocations'] as const).map((log) =>
  noteKeyOf(`${ORIGIN}/${log}`, 'note', logIdentity.privateKey),
)
const [catalogKey = unreachable()] = keys
function unreachable(): never {
  throw new Error('no key')
}

let dir: string
let registry: RunningRegistry
const witnesses: WitnessProcess[] = []
/** Witnesses that lie, each in its way; `how` gives the answer to a request. */
const liars: { server: Server; key: NoteKey; url: URL }[] = []
const publisher = newKey()

async function liar(
  name: string,
  how: (text: string, signer: ReturnType<typeof newSigner>) => { status: number; body: string } | undefined,
): Promise<void> {
  const signer = newSigner(name, 'cosignature')
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part) => parts.push(part))
    request.on('end', () => {
      const { text } = parseNote(parseWitnessRequest(Buffer.concat(parts).toString()).note)
      const answer = how(text, signer)
      if (answer !== undefined) response.writeHead(answer.status).end(answer.body)
    })
  }).listen(0, '127.0.0.1')
  await new Promise((listening) => server.once('listening', listening))
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  liars.push({ server, key: signer.key, url })
}

const now_s = (): number => Math.floor(Date.now() / 1000)
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'hookline-witnesses-'))
  for (const name of ['a', 'b']) {
    const keyFile = await witnessKeyFile(dir, name)
    witnesses.push(
      await startWitness(keyFile, keys.map(formatNoteKey), join(dir, name), { name: `test/${name}` }),
    )
  }
  await liar('lies/another-key', (text, { key }) => {
    const other = newSigner(key.name, 'cosignature')
    return { status: 200, body: signatureLine(text, other, now_s()) }
  })
  await liar('lies/another-text', (text, signer) => ({
    status: 200,
    body: signatureLine(text.replace(/\n\d+\n/, '\n999\n'), signer, now_s()),
  }))
  await liar('lies/tomorrow', (text, signer) => ({
    status: 200,
    body: signatureLine(text, signer, now_s() + 86_400),
  }))
  await liar('lies/longer', () => ({ status: 409, body: '100000\n' }))
  await liar('lies/nonsense', () => ({ status: 409, body: 'x'.repeat(100_000) }))
  await liar('lies/silent', () => undefined)
  registry = await startRegistry(PATIENT, identitySettings({}), {
    logIdentity,
    witnesses: [
      ...liars,
      ...witnesses.map(({ url, key }) => ({ url: new URL(url), key })),
      // nobody listens there
      { url: new URL('http://127.0.0.1:1/'), key: newSigner('test/dead', 'cosignature').key },
    ],
  })
  await openNamespace(registry, 'acme', publisher)
})
afterAll(async () => {
  await registry.close()
  for (const one of witnesses) await one.end('SIGKILL')
  for (const { server } of liars) {
    server.closeAllConnections()
    server.close()
  }
  await rm(dir, { recursive: true, force: true })
})

const checkpoint = async (): Promise<string> =>
  (await registry.call('GET', '/log/catalog/checkpoint')).bytes.toString('utf8')
/** The size of the newest checkpoint, once `threshold` of the real witnesses signed it. */
async function witnessed(threshold: number, among = witnesses): Promise<number> {
  const policy = { maxAge_s: 600, witnesses: { keys: among.map(({ key }) => key), threshold } }
  return acceptCheckpoint(unseenLog(catalogKey), { note: await checkpoint(), proof: [] }, policy, new Date())
    .size
}

describe('the witnesses of a registry', () => {
  test('sign each new checkpoint, whatever others do, and publishes wait for none', async () => {
    for (const version of ['1.0.0', '1.1.0']) {
      const began = Date.now()
      expect((await publishAt(registry, await buildRelease('acme/limit', version, publisher))).status).toBe(
        201,
      )
      expect(Date.now() - began).toBeLessThan(5000)
      const { size } = parseCheckpoint(parseNote(await checkpoint()).text)
      await expect.poll(() => witnessed(2).catch(() => 0), { timeout: 20_000 }).toBeGreaterThanOrEqual(size)
    }
  })
  test('leave a checkpoint to go on from at each moment of many changes, that never goes back', async () => {
    const path = (threshold: number, ids = witnesses.map(({ key }) => key.id.toString('hex'))): string =>
      `/log/catalog/witnessed?threshold=${threshold}&keys=${ids.join(',')}`
    const policy = { maxAge_s: 600, witnesses: { keys: witnesses.map(({ key }) => key), threshold: 2 } }
    await expect.poll(() => witnessed(2).catch(() => 0), { timeout: 20_000 }).toBeGreaterThan(0)
    let publishing = true
    const publishes = (async () => {
      for (let patch = 1; patch <= 20; patch++)
        await publishAt(registry, await buildRelease('acme/many', `1.0.${patch}`, publisher))
      publishing = false
    })()
    let size = 0
    while (publishing) {
      const note = (await registry.call('GET', path(2))).bytes
      const accepted = acceptCheckpoint(unseenLog(catalogKey), { note, proof: [] }, policy, new Date())
      expect(accepted.size).toBeGreaterThanOrEqual(size)
      size = accepted.size
    }
    await publishes
    const newest = parseCheckpoint(parseNote(await checkpoint()).text).size
    await expect
      .poll(async () => parseCheckpoint(parseNote((await registry.call('GET', path(2))).bytes).text).size)
      .toBe(newest)
    // nobody counts twice, and nobody who is not asked for
    const [id = ''] = witnesses.map(({ key }) => key.id.toString('hex'))
    expect((await registry.call('GET', path(3))).code).toBe('not_found')
    expect((await registry.call('GET', path(2, [id, id]))).code).toBe('not_found')
    expect((await registry.call('GET', path(1, ['00000000']))).code).toBe('not_found')
  })
  test('are asked again where one died and came back, and are no more than they are', async () => {
    const [a, b] = witnesses
    if (a === undefined || b === undefined) throw new Error('no witness')
    await b.end('SIGKILL')
    await publishAt(registry, await buildRelease('acme/limit', '1.2.0', publisher))
    const { size } = parseCheckpoint(parseNote(await checkpoint()).text)
    await expect.poll(() => witnessed(1).catch(() => 0), { timeout: 20_000 }).toBe(size)
    await expect(witnessed(2)).rejects.toThrow(expect.objectContaining({ code: 'witnesses_missing' }))
    const port = Number(new URL(b.url).port)
    witnesses[1] = await startWitness(join(dir, 'b.pem'), keys.map(formatNoteKey), join(dir, 'b'), {
      ...{ name: 'test/b', port },
    })
    await expect.poll(() => witnessed(2).catch(() => 0), { timeout: 30_000 }).toBe(size)
  })
  test('that lie are not believed: nothing of theirs is served', async () => {
    const note = await checkpoint()
    expect(note).toContain('— test/a ')
    expect(note).not.toContain('lies/')
    const { logs } = LogList.parse((await registry.call('GET', '/api/v1/logs')).json)
    const signed = logs[0]?.witnesses.filter(({ signedAt }) => signedAt !== undefined).map(({ key }) => key)
    expect(signed).toEqual(witnesses.map(({ key }) => formatNoteKey(key)))
    await expect
      .poll(
        () => registry.failures.map((thrown) => (thrown instanceof DomainError ? thrown.code : '')).sort(),
        {
          timeout: 20_000,
        },
      )
      .toEqual(
        expect.arrayContaining([
          'delivery_failed',
          'log_rollback',
          'log_stale',
          'log_untrusted',
          'log_untrusted',
        ]),
      )
  })
  test('the log’s own key is no witness', async () => {
    const own = [{ key: asCosigner(catalogKey) }] as unknown as WitnessProcess[]
    await expect(witnessed(1, own)).rejects.toThrow(expect.objectContaining({ code: 'witnesses_missing' }))
  })
})

describe('HOOKLINE_LOG_WITNESSES', () => {
  const key = (name: string): string => formatNoteKey(newSigner(name, 'cosignature').key)
  const parse = (text: string) => logSettings({ HOOKLINE_LOG_WITNESSES: text }).witnesses
  test('is pairs between commas or newlines', () => {
    const text = `https://a.test/w ${key('a')}, https://b.test ${key('b')}\nhttp://c.test  ${key('c')}\n`
    expect(parse(text)?.map(({ url, key: { name } }) => [url.href, name])).toEqual([
      ['https://a.test/w', 'a'],
      ['https://b.test/', 'b'],
      ['http://c.test/', 'c'],
    ])
    expect(parse('')).toEqual([])
  })
  test.each([
    ['no key', 'https://a.test', 'log_key_invalid'],
    ['no address', key('a'), 'usage'],
    ['an address of another kind', `ftp://a.test ${key('a')}`, 'usage'],
    ['more than a pair', `https://a.test ${key('a')} x`, 'usage'],
    ['the key of a log', `https://a.test ${formatNoteKey(newSigner('a').key)}`, 'log_key_invalid'],
    ['a name twice', `https://a.test ${key('a')},https://b.test ${key('a')}`, 'usage'],
  ])('refuses %s', (_, text, code) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code }))
  })
})
