import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sha256Digest } from '../../src/attest/keys.ts'
import type { LogName } from '../../src/domain/log.ts'
import { LogList, LogProof } from '../../src/domain/log.ts'
import type { LogEntry } from '../../src/domain/log-entry.ts'
import { auditLog } from '../../src/tlog/audit.ts'
import { parseCheckpoint } from '../../src/tlog/checkpoint.ts'
import { hides, type OpaqueEntry, parseEntry } from '../../src/tlog/entry.ts'
import { acceptCheckpoint, unseenLog } from '../../src/tlog/log-state.ts'
import { leafHash } from '../../src/tlog/merkle.ts'
import { parseNote } from '../../src/tlog/note.ts'
import { parseNoteKey } from '../../src/tlog/note-key.ts'
import { consistencyProof, verifyInclusion } from '../../src/tlog/proof.ts'
import { type ReadTile, tileHashReader } from '../../src/tlog/tile-reader.ts'
import { addKey, buildRelease, newKey, openNamespace, publishAt, releaseForm } from './release-builder.ts'
import { type RunningRegistry, startRegistry } from './running-registry.ts'

const POLICY = { maxAge_s: 3600, witnesses: { keys: [], threshold: 0 } }
let registry: RunningRegistry
const publisher = newKey()
beforeAll(async () => {
  registry = await startRegistry()
})
afterAll(() => registry.close())

const checkpointOf = async (log: LogName): Promise<string> =>
  (await registry.call('GET', `/log/${log}/checkpoint`)).bytes.toString('utf8')
const readTile =
  (log: LogName): ReadTile =>
  async (path) => {
    const answer = await registry.call('GET', `/log/${log}/${path}`)
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status}`)
    return answer.bytes
  }
const keyOf = async (log: LogName) => {
  const { logs } = LogList.parse((await registry.call('GET', '/api/v1/logs')).json)
  return parseNoteKey(logs.find((one) => one.log === log)?.key ?? '')
}
/** All entries of a log, once every hash of it was found to be what the checkpoint signs. */
async function audited(log: LogName = 'catalog'): Promise<(LogEntry | OpaqueEntry)[]> {
  const state = unseenLog(await keyOf(log))
  const accepted = acceptCheckpoint(state, { note: await checkpointOf(log), proof: [] }, POLICY, new Date())
  const entries: (LogEntry | OpaqueEntry)[] = []
  await auditLog({ head: accepted, readTile: readTile(log) }, (batch) => {
    for (const entry of batch) entries.push(parseEntry(entry))
  })
  return entries
}
const kinds = async (): Promise<string[]> => (await audited()).map(({ kind }) => kind)

describe('what changes the catalog is in its log', () => {
  test('a namespace is hidden until it shows something, then said openly with its first release', async () => {
    const before = (await kinds()).length
    await openNamespace(registry, 'acme', publisher)
    expect((await kinds()).slice(before)).toEqual(['private', 'private'])
    const release = await buildRelease('acme/limit', '1.0.0', publisher)
    expect((await publishAt(registry, release)).status).toBe(201)
    const [owner, signer, publish] = (await audited()).slice(before + 2)
    expect(owner).toMatchObject({ kind: 'owner', namespace: 'acme', account: 'admin', change: 'added' })
    expect(signer).toMatchObject({ kind: 'signer', signer: publisher.fingerprint, change: 'added' })
    expect(publish).toMatchObject({
      ...{ kind: 'publish', program: 'acme/limit', version: '1.0.0', signers: [publisher.fingerprint] },
      bundle: sha256Digest(Buffer.from(release.bundle)),
      files: [...release.files]
        .map(([name, bytes]) => ({ name, digest: sha256Digest(bytes) }))
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
    })
  })
  test('a release that is refused is not in it', async () => {
    const before = (await kinds()).length
    const release = await buildRelease('acme/limit', '1.0.0', publisher)
    expect((await publishAt(registry, release)).code).toBe('release_exists')
    expect((await kinds()).length).toBe(before)
  })
  test('yanks, deletions, keys, owners and operators', async () => {
    const before = (await kinds()).length
    const call = (method: string, path: string, body?: unknown) =>
      registry.call(method, `/api/v1/${path}`, { token: registry.admin, body })
    await call('PUT', 'programs/acme/limit/versions/1.0.0/yank', { message: 'no' })
    await call('DELETE', 'programs/acme/limit/versions/1.0.0/yank')
    await publishAt(registry, await buildRelease('acme/limit', '1.1.0', publisher))
    await call('DELETE', 'programs/acme/limit/versions/1.1.0')
    const second = newKey('ed25519')
    await addKey(registry, '/api/v1/namespaces/acme/keys', second)
    await call('DELETE', `namespaces/acme/keys/${second.fingerprint}`)
    await addKey(registry, '/api/v1/operators/keys', second)
    await registry.account('partner', { member: { acme: 'reader' } })
    await call('PUT', 'namespaces/acme/members/partner', { role: 'owner' })
    await call('DELETE', 'namespaces/acme/members/partner')
    expect((await kinds()).slice(before)).toEqual([
      ...['yank', 'unyank', 'publish', 'delete', 'signer', 'signer', 'operator', 'owner', 'owner'],
    ])
  })
})

describe('a private program', () => {
  test('is a commitment, which members can open and others cannot even find', async () => {
    const form = releaseForm(await buildRelease('acme/secret', '1.0.0', publisher))
    await registry.call('POST', '/api/v1/releases?visibility=private', { token: registry.admin, form })
    const logged = (await audited()).at(-1)
    expect(logged?.kind).toBe('private')
    const path = '/api/v1/programs/acme/secret/versions/1.0.0/log-proof'
    const { hidden = '', salt = '' } = LogProof.parse(
      (await registry.call('GET', path, { token: registry.admin })).json,
    )
    const entry = parseEntry(Buffer.from(hidden))
    expect(entry).toMatchObject({ kind: 'publish', program: 'acme/secret' })
    if (logged === undefined || entry.kind === 'opaque') throw new Error('no entry')
    expect(hides(logged, entry, Buffer.from(salt, 'base64'))).toBe(true)
    expect(hides(logged, { ...entry, at: entry.at + 1 }, Buffer.from(salt, 'base64'))).toBe(false)
    expect((await registry.call('GET', path)).code).toBe('not_found')
    for (const data of ['acme/secret', salt])
      expect((await readTile('catalog')(`tile/entries/000.p/${(await kinds()).length}`)).includes(data)).toBe(
        false,
      )
  })
})

describe('proofs', () => {
  test('of a release hold against the checkpoint, and for no other entry', async () => {
    const path = '/api/v1/programs/acme/limit/versions/1.0.0/log-proof'
    const proof = LogProof.parse((await registry.call('GET', path)).json)
    const { size, root } = parseCheckpoint(parseNote(proof.checkpoint).text)
    const inclusion = {
      ...{ index: proof.index, size, root, leaf: leafHash(Buffer.from(proof.entry)) },
      proof: proof.hashes.map((hash) => Buffer.from(hash, 'base64')),
    }
    verifyInclusion(inclusion)
    expect(() => verifyInclusion({ ...inclusion, leaf: leafHash(Buffer.from(`${proof.entry} `)) })).toThrow(
      expect.objectContaining({ code: 'log_proof_invalid' }),
    )
  })
  test('a log that grew continues what was seen', async () => {
    const key = await keyOf('catalog')
    const seen = acceptCheckpoint(
      unseenLog(key),
      { note: await checkpointOf('catalog'), proof: [] },
      POLICY,
      new Date(),
    )
    await publishAt(registry, await buildRelease('acme/limit', '2.0.0', publisher))
    const note = await checkpointOf('catalog')
    const { size } = parseCheckpoint(parseNote(note).text)
    const proof = await consistencyProof(seen.size, size, tileHashReader(size, readTile('catalog')))
    expect(acceptCheckpoint(seen, { note, proof }, POLICY, new Date()).size).toBe(seen.size + 1)
    expect(() => acceptCheckpoint(seen, { note, proof: proof.slice(1) }, POLICY, new Date())).toThrow(
      expect.objectContaining({ code: 'log_proof_invalid' }),
    )
  })
  test('changes made at the same time are all in it, once', async () => {
    const before = (await kinds()).length
    const releases = await Promise.all(
      Array.from({ length: 6 }, (_, at) => buildRelease('acme/many', `1.0.${at}`, publisher)),
    )
    const answers = await Promise.all(releases.map((release) => publishAt(registry, release)))
    expect(answers.map(({ status }) => status)).toEqual(releases.map(() => 201))
    const added = (await audited()).slice(before)
    const versions = added.flatMap((entry) => (entry.kind === 'publish' ? [entry.version] : []))
    expect(versions.sort()).toEqual(releases.map(({ version }) => version))
  })
  test('a checkpoint is signed anew while nothing changes', async () => {
    const { logs } = registry.services
    const before = await checkpointOf('revocations')
    await logs.refresh('revocations', 3600)
    expect(await checkpointOf('revocations')).toBe(before)
    await new Promise((done) => setTimeout(done, 1100))
    await logs.refresh('revocations', 1)
    const after = await checkpointOf('revocations')
    expect(after).not.toBe(before)
    expect(parseNote(after).text).toBe(parseNote(before).text)
  })
})

describe('what is not there', () => {
  test.each([
    ...['tile/0/000.p/255', 'tile/0/001', 'tile/9/000', 'tile/entries/999', 'tile/0/x000/000', 'tile/0/../1'],
  ])('%s', async (path) => {
    expect((await registry.call('GET', `/log/catalog/${path}`)).status).toBe(404)
  })
  test('an entry behind the end, a log of another name', async () => {
    expect((await registry.call('GET', '/api/v1/logs/catalog/entries/99999')).code).toBe('not_found')
    expect((await registry.call('GET', '/log/other/checkpoint')).code).toBe('invalid_request')
  })
  test('entries are only ever added', async () => {
    const { prisma } = registry.database
    await expect(prisma.$executeRaw`DELETE FROM "log_entry"`).rejects.toThrow('only ever added')
    await expect(prisma.$executeRaw`UPDATE "log_entry" SET "data" = ''`).rejects.toThrow('only ever added')
    await expect(prisma.$executeRaw`TRUNCATE "log_entry"`).rejects.toThrow('only ever added')
  })
})
