import { readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { signRevocation } from '../../src/attest/revocation.ts'
import { signRelease } from '../../src/attest/sign-release.ts'
import { runCli } from '../../src/cli/run.ts'
import { LogList, type LogName, LogOpenings, LogProof } from '../../src/domain/log.ts'
import type { LogEntry } from '../../src/domain/log-entry.ts'
import { KeyList } from '../../src/domain/namespace.ts'
import { ProgramView, ReleaseView } from '../../src/domain/release.ts'
import { parseCheckpoint } from '../../src/tlog/checkpoint.ts'
import { encodeEntry, parseEntry } from '../../src/tlog/entry.ts'
import { decodeBundle } from '../../src/tlog/entry-bundle.ts'
import { formatNote, parseNote, signatureLine } from '../../src/tlog/note.ts'
import { formatNoteKey, type NoteKey, noteKeyOf } from '../../src/tlog/note-key.ts'
import { tileAt, tilePath } from '../../src/tlog/tile.ts'
import {
  addKey,
  buildRelease,
  newKey,
  openNamespace,
  publishAt,
  releaseForm,
} from '../http/release-builder.ts'
import { type RunningRegistry, startRegistry } from '../http/running-registry.ts'
import { type MemoryLog, memoryLog, newSigner } from '../support/memory-log.ts'
import { memoryIo, scratch } from './hookline.ts'

const notHere = () => Promise.reject(new Error('not here'))
const services = { serve: notHere, witness: notHere, agent: notHere, doctor: notHere, verifyRunning: notHere }
const publisher = newKey()
const second = newKey('ed25519')
const home = await scratch()
let registry: RunningRegistry
/** A registry that shows something else than the real one behind it. */
let double: { server: Server; url: string }
type Lie = (path: string, body: Buffer) => Buffer | string | undefined | Promise<undefined>
let lie: Lie = () => undefined

beforeAll(async () => {
  registry = await startRegistry()
  await openNamespace(registry, 'acme', publisher)
  for (const version of ['1.0.0', '1.1.0', '2.0.0'])
    await publishAt(registry, await buildRelease('acme/limit', version, publisher))
  const form = releaseForm(await buildRelease('acme/secret', '1.0.0', publisher))
  await registry.call('POST', '/api/v1/releases?visibility=private', { token: registry.admin, form })
  const call = (method: string, path: string, body?: unknown) =>
    registry.call(method, `/api/v1/${path}`, { token: registry.admin, body })
  await call('PUT', 'programs/acme/limit/versions/1.0.0/yank', { message: 'no' })
  await call('DELETE', 'programs/acme/limit/versions/1.1.0')
  await addKey(registry, '/api/v1/namespaces/acme/keys', second)
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    const { authorization } = request.headers
    fetch(registry.url + path, { headers: authorization === undefined ? {} : { authorization } })
      .then(async (answer) => {
        const body = Buffer.from(await answer.arrayBuffer())
        const other = await lie(path, body)
        response.writeHead(other === undefined ? answer.status : 200, {
          'content-type': answer.headers.get('content-type') ?? 'text/plain',
        })
        response.end(other ?? body)
      })
      .catch(() => response.destroy())
  }).listen(0, '127.0.0.1')
  await new Promise((listening) => server.once('listening', listening))
  double = { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
})
afterAll(async () => {
  double.server.closeAllConnections()
  double.server.close()
  await registry.close()
})

const Verified = z.object({
  findings: z.array(z.object({ code: z.string(), subject: z.string(), detail: z.string() })),
  checked: z.object({ releases: z.number(), openedCommitments: z.number(), owners: z.number() }).loose(),
})
const Failed = z.object({ error: z.object({ code: z.string(), message: z.string() }).loose() })

async function run(...args: string[]) {
  const io = memoryIo({ home, env: { HOOKLINE_URL: registry.url } })
  const code = await runCli(args, io, services, 'test')
  const json: unknown = args.includes('--json') ? JSON.parse(io.out) : undefined
  return { code, json, ...io, failure: Failed.safeParse(json).data?.error.code }
}
let files = 0
const newState = (): string => join(home, `state-${files++}.json`)
/** Audits the registry as the double shows it, and gives the exit code with all codes found. */
async function audited(state: string, ...args: string[]) {
  const { code, json, failure } = await run(
    'log',
    'verify',
    '--url',
    double.url,
    '--state',
    state,
    '--json',
    ...args,
  )
  const codes = failure === undefined ? Verified.parse(json).findings.map((one) => one.code) : [failure]
  return { code, codes: [...new Set(codes)].sort() }
}

const signerOf = (log: LogName) => {
  const { privateKey } = registry.logIdentity
  return { key: noteKeyOf(`${base}/${log}`, 'note', privateKey), privateKey }
}
let base: string
/** The entries of a log as they stand, and the log as it would be with others. */
async function entriesOf(log: LogName): Promise<LogEntry[]> {
  const note = (await registry.call('GET', `/log/${log}/checkpoint`)).bytes
  const { origin, size } = parseCheckpoint(parseNote(note).text)
  base = origin.slice(0, origin.lastIndexOf('/'))
  const bundle = tileAt('entries', 0, size)
  if (bundle === undefined) return []
  const { bytes } = await registry.call('GET', `/log/${log}/${tilePath(bundle)}`)
  return decodeBundle(bytes, size).map((data) => parseEntry(data) as LogEntry)
}
/** Shows another log in place of a real one, signed by the registry’s own key. */
const showing =
  (log: LogName, shown: MemoryLog, time_s?: number): Lie =>
  (path) => {
    if (path === `/log/${log}/checkpoint`) return shown.checkpoint(shown.size, time_s)
    return path.startsWith(`/log/${log}/`) ? shown.tile(path.slice(`/log/${log}/`.length)) : undefined
  }
const logWith = async (log: LogName, change: (entries: LogEntry[]) => LogEntry[]): Promise<MemoryLog> => {
  const entries = change(await entriesOf(log))
  return memoryLog(signerOf(log), entries.map(encodeEntry))
}
/** An answer of the registry as it would be with something else in it. */
const changedJson =
  <T extends z.ZodType>(of: string, schema: T, change: (value: z.output<T>) => unknown): Lie =>
  (path, body) =>
    path === of ? JSON.stringify(change(schema.parse(JSON.parse(body.toString())))) : undefined
/** Hidden entries stay hidden. */
const unopened: Lie = (path) => (path.includes('/log-openings/') ? '{"openings":[]}' : undefined)
const withOtherFile = changedJson('/api/v1/programs/acme/limit/versions/2.0.0', ReleaseView, (view) => ({
  ...view,
  files: view.files.map((file) => ({ ...file, digest: `sha256:${'1'.repeat(64)}` })),
}))

describe('log verify', () => {
  test('finds an honest registry in order, keeps what it saw, and goes on from there', async () => {
    lie = () => undefined
    const state = newState()
    const first = await run('log', 'verify', '--url', double.url, '--state', state, '--progress')
    expect(first.code).toBe(0)
    expect(first.err).toMatch(/trusting the key of the log of catalog on first use/)
    expect(first.out).toContain('all of it agrees')
    expect(first.out).toMatch(/^checked +count +of what$/m)
    expect(first.out).toMatch(/^hidden entries +2 +opened and compared$/m)
    expect(JSON.parse(await readFile(state, 'utf8'))[double.url].catalog.trust).toBe('first use')
    await publishAt(registry, await buildRelease('acme/limit', '3.0.0', publisher))
    const again = await run('log', 'verify', '--url', double.url, '--state', state, '--json')
    expect(again).toMatchObject({ code: 0, err: '' })
    expect(Verified.parse(again.json)).toMatchObject({ findings: [], checked: { releases: 3, owners: 0 } })
    const asAdmin = await run(
      'log',
      'verify',
      '--url',
      double.url,
      '--state',
      state,
      '--json',
      '--token',
      registry.admin,
    )
    expect(Verified.parse(asAdmin.json)).toMatchObject({
      findings: [],
      checked: { releases: 4, openedCommitments: 3, owners: 1 },
    })
  })
  test('one key is enough for both logs, and another one is refused', async () => {
    await entriesOf('catalog')
    const key = formatNoteKey(signerOf('catalog').key)
    expect(await audited(newState(), '--log-key', key)).toEqual({ code: 0, codes: [] })
    const other = formatNoteKey(newSigner(`${base}/catalog`).key)
    expect(await audited(newState(), '--log-key', other)).toEqual({ code: 3, codes: ['log_untrusted'] })
    const state = newState()
    await audited(state)
    expect(await audited(state, '--log-key', other)).toEqual({ code: 3, codes: ['log_untrusted'] })
    expect(await audited(newState(), '--log-key', formatNoteKey(newSigner('x').key))).toMatchObject({
      codes: ['log_key_invalid'],
    })
  })
  test.each([
    ['log_fork', (entries: LogEntry[]) => [...entries.slice(0, 3), ...entries.slice(3).toReversed()]],
    ['log_fork', (entries: LogEntry[]) => [...entries.slice(1), ...entries]],
    ['log_rollback', (entries: LogEntry[]) => entries.slice(0, -2)],
  ])('%s by what was seen before, and both checkpoints are kept', async (code, change) => {
    lie = () => undefined
    const state = newState()
    expect((await audited(state)).code).toBe(0)
    const before = await readFile(state, 'utf8')
    lie = showing('catalog', await logWith('catalog', change))
    expect(await audited(state)).toEqual({ code: 3, codes: [code] })
    expect(await readFile(state, 'utf8')).toBe(before)
    const [evidence = ''] = (await readdir(home)).filter((name) =>
      join(home, name).startsWith(`${state}.catalog-${code}`),
    )
    expect((await readFile(join(home, evidence), 'utf8')).match(/\/catalog\n/g)).toHaveLength(2)
  })
  test('a registry that is asked for the first time may have changed its log, and its catalog convicts it', async () => {
    const without = (kind: LogEntry['kind'], version: string) => (entries: LogEntry[]) =>
      entries.filter((entry) => !(entry.kind === kind && 'version' in entry && entry.version === version))
    lie = showing('catalog', await logWith('catalog', without('publish', '2.0.0')))
    expect(await audited(newState())).toEqual({ code: 3, codes: ['log_unlogged'] })
    lie = showing('catalog', await logWith('catalog', without('yank', '1.0.0')))
    expect(await audited(newState())).toEqual({ code: 3, codes: ['log_standing_differs'] })
    const altered = await logWith('catalog', (entries) =>
      entries.map((entry) =>
        entry.kind === 'publish' && entry.version === '2.0.0'
          ? { ...entry, bundle: `sha256:${'0'.repeat(64)}` as const }
          : entry,
      ),
    )
    lie = showing('catalog', altered)
    expect(await audited(newState())).toEqual({ code: 3, codes: ['log_release_differs'] })
    const unsaid = await logWith('catalog', (entries) =>
      entries.filter((entry) => !(entry.kind === 'signer' && entry.signer === second.fingerprint)),
    )
    lie = showing('catalog', unsaid)
    expect(await audited(newState())).toEqual({ code: 3, codes: ['log_signers_differ'] })
    const twice = await logWith('catalog', (entries) => [
      ...entries,
      ...entries.filter(({ kind }) => kind === 'publish').slice(0, 1),
    ])
    lie = showing('catalog', twice)
    expect((await audited(newState())).codes).toContain('log_release_differs')
  })
  test('entries that are left out of, or changed in, what it serves', async () => {
    lie = (path, body) => {
      if (!path.startsWith('/log/catalog/tile/entries/')) return undefined
      return body.subarray(0, body.length - decodeLast(body))
    }
    expect(await audited(newState())).toEqual({ code: 3, codes: ['log_malformed'] })
    lie = (path, body) => {
      if (!path.startsWith('/log/catalog/tile/entries/')) return undefined
      return Buffer.from(body.toString('latin1').replace('acme/limit', 'acme/limid'), 'latin1')
    }
    expect(await audited(newState())).toEqual({ code: 3, codes: ['log_mismatch'] })
    lie = (path, body) => (path.startsWith('/log/catalog/tile/0/') ? Buffer.alloc(body.length) : undefined)
    expect(await audited(newState())).toEqual({ code: 3, codes: ['log_mismatch'] })
  })
  test('a checkpoint that is old, and is not when that is allowed', async () => {
    const hour = Math.floor(Date.now() / 1000) - 3600
    const older = (entries: LogEntry[]) => entries.map((entry) => ({ ...entry, at: entry.at - 3600 }))
    const shown = showing('catalog', await logWith('catalog', older), hour)
    lie = (path, body) => shown(path, body) ?? unopened(path, body)
    expect(await audited(newState())).toEqual({ code: 3, codes: ['log_stale'] })
    expect(await audited(newState(), '--max-age', '2h')).toEqual({ code: 0, codes: [] })
  })
  test('releases, standings and keys that are shown and not logged', async () => {
    lie = (path, body) =>
      changedJson('/api/v1/programs/acme/limit', ProgramView, (view) => ({
        ...view,
        versions: [
          ...view.versions.slice(0, 1).map((one) => ({ ...one, version: '9.0.0' })),
          ...view.versions,
        ],
      }))(path, body) ??
      (path === '/api/v1/programs/acme/limit/versions/9.0.0'
        ? shownRelease.replaceAll('2.0.0', '9.0.0')
        : undefined)
    const shownRelease = (
      await registry.call('GET', '/api/v1/programs/acme/limit/versions/2.0.0')
    ).bytes.toString()
    expect(await audited(newState())).toEqual({ code: 3, codes: ['log_unlogged'] })
    lie = changedJson('/api/v1/programs/acme/limit', ProgramView, (view) => ({
      ...view,
      versions: view.versions.map(({ yanked: _, ...version }) => version),
    }))
    expect(await audited(newState())).toEqual({ code: 3, codes: ['log_standing_differs'] })
    lie = withOtherFile
    expect(await audited(newState())).toEqual({ code: 3, codes: ['log_release_differs'] })
    lie = changedJson('/api/v1/namespaces/acme/keys', KeyList, ({ keys }) => ({ keys: keys.slice(1) }))
    expect(await audited(newState())).toEqual({ code: 3, codes: ['log_signers_differ'] })
  })
  test('entries that were made to look older, or newer, than they are', async () => {
    const at = (change: (last: number) => number) =>
      logWith('catalog', (entries) => {
        const last = entries.at(-1)?.at ?? 0
        return [
          ...entries,
          { v: 1, kind: 'private', at: change(last), commitment: `sha256:${'3'.repeat(64)}` },
        ]
      })
    for (const [seconds, codes] of [
      [-86_400, ['log_times_differ']],
      [-200, []], // clocks of two registries
      [200, []],
      [86_400, ['log_times_differ']],
    ] as const) {
      lie = showing('catalog', await at((last) => last + seconds))
      expect(await audited(newState())).toEqual({ code: codes.length === 0 ? 0 : 3, codes })
    }
  })
  test('further signatures: they are logged, and one that was not, or is not shown, is found', async () => {
    const release = await buildRelease('acme/shared', '1.0.0', publisher)
    const bundles = [await signRelease(release, second)]
    expect((await publishAt(registry, { ...release, bundles })).code).toBe(undefined)
    lie = () => undefined
    expect(await audited(newState())).toEqual({ code: 0, codes: [] })
    const path = '/api/v1/programs/acme/shared/versions/1.0.0'
    lie = changedJson(path, ReleaseView, (view) => ({ ...view, bundles: [] }))
    expect(await audited(newState())).toEqual({ code: 3, codes: ['log_release_differs'] })
    lie = changedJson(path, ReleaseView, (view) => ({ ...view, bundles: [...view.bundles, view.bundle] }))
    expect(await audited(newState())).toEqual({ code: 3, codes: ['log_release_differs'] })
    expect((await run('log', 'entries')).out).toContain(`signed by ${second.fingerprint} as well`)
  })
  test('a revocation that is in one log only', async () => {
    const revocation: LogEntry = {
      ...{ v: 1, kind: 'revoke', at: Math.floor(Date.now() / 1000), reason: 'malicious' },
      revoked: { kind: 'release', program: 'acme/other', version: '1.0.0' },
      envelope: `sha256:${'2'.repeat(64)}`,
    }
    const own = await logWith('revocations', (entries) => [...entries, revocation])
    const all = await logWith('catalog', (entries) => [...entries, revocation])
    lie = showing('revocations', own)
    expect(await audited(newState())).toEqual({ code: 3, codes: ['log_revocations_differ'] })
    lie = showing('catalog', all)
    expect(await audited(newState())).toEqual({ code: 3, codes: ['log_revocations_differ'] })
    lie = (path, body) => showing('catalog', all)(path, body) ?? showing('revocations', own)(path, body)
    expect(await audited(newState())).toEqual({ code: 0, codes: [] })
  })
  test('what changes while it looks is no disagreement', async () => {
    const yank = '/api/v1/programs/acme/limit/versions/2.0.0/yank'
    const change = async (method: string) => {
      const body = method === 'PUT' ? { message: 'no' } : undefined
      const answer = await registry.call(method, yank, { token: registry.admin, body })
      expect(answer.status).toBeLessThan(300)
    }
    for (const method of ['PUT', 'DELETE']) {
      let done = false
      lie = async (path) => {
        // the program was read already, its releases are not
        if (done || path !== '/api/v1/programs/acme/limit/versions/2.0.0') return undefined
        done = true
        await change(method)
        await publishAt(
          registry,
          await buildRelease('acme/limit', method === 'PUT' ? '4.0.0' : '4.1.0', publisher),
        )
        return undefined
      }
      expect(await audited(newState())).toEqual({ code: 0, codes: [] })
      expect(done).toBe(true)
    }
  })
  test('a program that is made public later has its commitments opened', async () => {
    lie = () => undefined
    const visibility = (to: string) =>
      registry.call('PUT', '/api/v1/programs/acme/secret/visibility', {
        token: registry.admin,
        body: { visibility: to },
      })
    const openings = '/api/v1/namespaces/acme/log-openings/catalog'
    const opened = async (path = openings, token?: string) =>
      LogOpenings.parse((await registry.call('GET', path, { token })).json).openings
    const before = await opened()
    const yank = (method: string) =>
      registry.call(method, '/api/v1/programs/acme/secret/versions/1.0.0/yank', {
        token: registry.admin,
        body: method === 'PUT' ? { message: 'no' } : undefined,
      })
    expect((await yank('PUT')).status).toBeLessThan(300)
    // of a private program only its members learn what is hidden
    expect(await opened()).toEqual(before)
    expect(await opened(openings, registry.admin)).toHaveLength(before.length + 2)
    expect(before.every(({ hidden }) => !hidden.includes('acme/secret'))).toBe(true)
    await visibility('public')
    expect(await opened()).toHaveLength(before.length + 2)
    expect(await opened(`${openings}?after=${before.at(-1)?.index}`)).toHaveLength(2)
    const { json } = await run('log', 'verify', '--url', double.url, '--state', newState(), '--json')
    expect(Verified.parse(json)).toMatchObject({
      findings: [],
      checked: { openedCommitments: before.length + 2 },
    })
    // the yank from before is compared like any
    lie = changedJson('/api/v1/programs/acme/secret', ProgramView, (view) => ({
      ...view,
      versions: view.versions.map(({ yanked: _, ...version }) => version),
    }))
    expect(await audited(newState())).toEqual({ code: 3, codes: ['log_standing_differs'] })
    lie = (path, body) =>
      path.startsWith(openings) ? body.toString().replaceAll('acme/secret', 'acme/sacred') : undefined
    expect((await audited(newState())).codes).toContain('log_unlogged')
    lie = () => undefined
    await yank('DELETE')
    const other = LogProof.parse(
      (await registry.call('GET', '/api/v1/programs/acme/limit/versions/1.0.0/log-proof')).json,
    )
    lie = (path, body) =>
      unopened(path, body) ??
      (path.endsWith('acme/secret/versions/1.0.0/log-proof') ? JSON.stringify(other) : undefined)
    expect(await audited(newState())).toEqual({ code: 3, codes: ['log_unlogged'] })
    await visibility('private')
  })
  test('a revocation, which stands in both logs and in the catalog', async () => {
    lie = () => undefined
    const revoked = { kind: 'release', program: 'acme/limit', version: '2.0.0' } as const
    const at = '2026-05-01T12:00:00.000Z'
    const envelope = signRevocation({ revoked, reason: 'vulnerable', message: 'no', at }, publisher)
    const answer = await registry.call('POST', '/api/v1/revocations', {
      token: registry.admin,
      body: { envelope },
    })
    expect(answer.status).toBe(201)
    expect(await audited(newState())).toEqual({ code: 0, codes: [] })
    lie = changedJson('/api/v1/programs/acme/limit', ProgramView, (view) => ({
      ...view,
      versions: view.versions.map(({ revoked: _, ...version }) => version),
    }))
    expect(await audited(newState())).toEqual({ code: 3, codes: ['log_standing_differs'] })
    const none = (entries: LogEntry[]) => entries.filter(({ kind }) => kind !== 'revoke')
    const [catalog, revocations] = [await logWith('catalog', none), await logWith('revocations', none)]
    lie = showing('revocations', revocations)
    expect(await audited(newState())).toEqual({ code: 3, codes: ['log_revocations_differ'] })
    lie = (path, body) =>
      showing('catalog', catalog)(path, body) ?? showing('revocations', revocations)(path, body)
    expect(await audited(newState())).toEqual({ code: 3, codes: ['log_standing_differs'] })
  })
  test('witnesses: as many as are asked for must have signed', async () => {
    const [a, b] = [newSigner('w/a', 'cosignature'), newSigner('w/b', 'cosignature')]
    const keys = ['--witness', formatNoteKey(a.key), formatNoteKey(b.key)]
    const cosigned: Lie = (path, body) => {
      if (!path.endsWith('/checkpoint')) return undefined
      const { text } = parseNote(body)
      const [, lines = ''] = body.toString().split('\n\n')
      return formatNote(text, [lines, signatureLine(text, a, Math.floor(Date.now() / 1000))])
    }
    lie = cosigned
    expect(await audited(newState(), ...keys, '--threshold', '1')).toEqual({ code: 0, codes: [] })
    expect(await audited(newState(), ...keys)).toEqual({ code: 3, codes: ['witnesses_missing'] })
    expect(await audited(newState(), '--threshold', '1')).toEqual({ code: 2, codes: ['usage'] })
  })
})

const decodeLast = (bundle: Buffer): number => {
  let at = 0
  for (;;) {
    const length = 2 + bundle.readUInt16BE(at)
    if (at + length === bundle.length) return length
    at += length
  }
}

describe('log show, entries, proof and check', () => {
  test('show names keys, sizes and times; entries are told in words', async () => {
    const shown = await run('log', 'show')
    expect(shown.out).toMatch(/log {8}catalog\nkey .*\/catalog\+/)
    expect(shown.out).toMatch(/signed +\d+ s ago\nwitnesses +none/)
    const { out } = await run('log', 'entries', '--from', '0', '--limit', '100')
    expect(out).toMatch(/something about a private program/)
    expect(out).toMatch(/acme\/limit@1\.0\.0 published, signed by sha256:/)
    expect(out).toMatch(/acme\/limit@1\.0\.0 yanked/)
    expect(out).toMatch(/acme\/limit@2\.0\.0 revoked: vulnerable, by sha256:[0-9a-f]{64}$/m)
    expect(out).toMatch(/^\d+ in all$/m)
    expect((await run('log', 'entries', '--from', '3', '--limit', '2')).out).toMatch(
      /^\d+ in all; older: --from 1; newer: --from 5$/m,
    )
    expect((await run('log', 'entries', '--from', '999', '--json')).json).toMatchObject({ entries: [] })
    expect((await run('log', 'entries', '--log', 'other')).code).toBe(2)
  })
  test('show says by a word whether a key is the one that is remembered', async () => {
    lie = () => undefined
    const state = newState()
    const known = async (): Promise<unknown> => {
      const { json } = await run('log', 'show', '--url', double.url, '--state', state, '--json')
      const shown = z.object({ logs: z.array(z.object({ known: z.string() }).loose()) }).loose()
      return shown.parse(json).logs.map((log) => log.known)
    }
    expect(await known()).toEqual(['unknown', 'unknown'])
    await audited(state)
    expect(await known()).toEqual(['remembered', 'remembered'])
    const { key } = newSigner('w/catalog')
    lie = changedJson('/api/v1/logs', LogList, ({ logs }) => ({
      logs: logs.map((log) => ({ ...log, key: formatNoteKey(key) })),
    }))
    expect(await known()).toEqual(['differs', 'differs'])
  })
  test('names that a registry made up cannot steer a terminal', async () => {
    const evil = formatNoteKey(newSigner('w\u202eevil', 'cosignature').key)
    lie = changedJson('/api/v1/logs', LogList, ({ logs }) => ({
      logs: logs.map((log) => ({ ...log, witnesses: [{ key: evil }] })),
    }))
    const shown = await run('log', 'show', '--url', double.url)
    expect(shown.out).toContain('w\\u{202e}evil')
    expect(shown.out).not.toContain('\u202e')
    lie = changedJson('/api/v1/logs', LogList, ({ logs }) => ({
      logs: logs.map((log) => ({ ...log, key: evil })),
    }))
    const verified = await run('log', 'verify', '--url', double.url, '--state', newState())
    expect(verified.code).not.toBe(0)
    expect(verified.err).not.toContain('\u202e')
  })
  test('a proof is checked, kept as a file, and checked again by whoever has the key', async () => {
    lie = () => undefined
    await entriesOf('catalog')
    const key = formatNoteKey(signerOf('catalog').key)
    const file = join(home, 'limit.tlog-proof')
    const made = await run('log', 'proof', 'acme/limit@2.0.0', '--log-key', key, '--out', file)
    expect(made).toMatchObject({ code: 0 })
    expect(made.out).toContain('acme/limit@2.0.0 is in the log:')
    const checked = await run('log', 'check', file, '--log-key', key)
    expect(checked).toMatchObject({ code: 0 })
    expect(checked.out).toContain('acme/limit@2.0.0 published')
    const other = formatNoteKey(newSigner(`${base}/catalog`).key)
    expect((await run('log', 'check', file, '--log-key', other, '--json')).failure).toBe('log_untrusted')
    expect((await run('log', 'check', file, '--json')).failure).toBe('usage')
    const text = await readFile(file, 'utf8')
    const bent = join(home, 'bent.tlog-proof')
    const extra = /extra (.*)\n/.exec(text)?.[1] ?? ''
    const entry = Buffer.from(extra, 'base64').toString().replace('2.0.0', '2.0.1')
    await writeFile(bent, text.replace(extra, Buffer.from(entry).toString('base64')))
    expect((await run('log', 'check', bent, '--log-key', key, '--json')).failure).toBe('log_proof_invalid')
    await writeFile(bent, text.replace(/extra .*\n/, ''))
    expect((await run('log', 'check', bent, '--log-key', key, '--json')).failure).toBe('log_malformed')
  })
  test('of a release that is not there, or another than was logged, there is none', async () => {
    expect((await run('log', 'proof', 'acme/limit@7.0.0', '--json')).failure).toBe('version_not_found')
    lie = withOtherFile
    const differs = await run(
      'log',
      'proof',
      'acme/limit@2.0.0',
      '--url',
      double.url,
      '--state',
      newState(),
      '--json',
    )
    expect(differs).toMatchObject({ code: 3, failure: 'log_release_differs' })
    lie = () => undefined
  })
  test('verify asks the log that its policy names, unless it is told not to', async () => {
    await entriesOf('catalog')
    const policy = async (key: NoteKey, log = ''): Promise<string> => {
      const path = join(home, `trust-${files++}.yaml`)
      const rule = `{ match: "acme/*", signers: [{ key: "${publisher.fingerprint}" }] }`
      await writeFile(path, `programs: [${rule}]\nlog: { key: "${formatNoteKey(key)}"${log} }\n`)
      return path
    }
    const verify = async (path: string, ...args: string[]) => {
      const { code, failure, json } = await run(
        'verify',
        'acme/limit@3.0.0',
        '--json',
        '--policy',
        path,
        ...args,
      )
      return {
        code,
        failure,
        index: z.object({ logIndex: z.number().optional() }).safeParse(json).data?.logIndex,
      }
    }
    const good = await policy(signerOf('catalog').key)
    expect(await verify(good)).toMatchObject({ code: 0, index: expect.any(Number) })
    const other = await policy(newSigner(`${base}/catalog`).key)
    expect(await verify(other)).toMatchObject({ code: 3, failure: 'log_untrusted' })
    expect(await verify(other, '--offline')).toEqual({ code: 0, failure: undefined, index: undefined })
    const witness = formatNoteKey(newSigner('w', 'cosignature').key)
    const asks = await policy(signerOf('catalog').key, `, witnesses: { keys: ["${witness}"], threshold: 1 }`)
    expect(await verify(asks)).toMatchObject({ code: 3, failure: 'witnesses_missing' })
    expect(
      await verify(good, '--offline', '--log-key', formatNoteKey(signerOf('catalog').key)),
    ).toMatchObject({ code: 2, failure: 'usage' })
    // a directory needs a registry for it, too
    const out = join(home, `pulled-${files++}`)
    expect((await run('pull', 'acme/limit@2.0.0', '--out', out, '--policy', good, '--json')).code).toBe(0)
    expect((await run('verify', out, '--policy', good, '--json')).code).toBe(0)
    const alone = memoryIo({ home, env: {} })
    expect(await runCli(['verify', out, '--policy', good, '--json'], alone, services, 'test')).not.toBe(0)
    expect(Failed.parse(JSON.parse(alone.out)).error.code).toBe('no_registry')
  })
  test('verify asks the log when it is given the key', async () => {
    await entriesOf('catalog')
    const trusted = ['verify', 'acme/limit@3.0.0', '--signer', publisher.fingerprint, '--json', '--log-key']
    const good = await run(...trusted, formatNoteKey(signerOf('catalog').key))
    expect(good.code).toBe(0)
    expect(good.json).toMatchObject({ logIndex: expect.any(Number) })
    expect(await run(...trusted, formatNoteKey(newSigner(`${base}/catalog`).key))).toMatchObject({
      ...{ code: 3, failure: 'log_untrusted' },
    })
  })
})
