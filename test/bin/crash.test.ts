import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sha256Digest } from '../../src/attest/keys.ts'
import { ReleaseView } from '../../src/domain/release.ts'
import { readPidFile, stopOrphan } from '../../src/store/postmaster.ts'
import { buildRelease, newKey, openNamespace, publishAt } from '../http/release-builder.ts'
import { type CallOptions, callAt, temporaryDirectory } from '../http/running-registry.ts'
import { type ServeProcess, startServe } from './serve-process.ts'

const PUBLISHES = 50
/** At a time, so that the kill meets publishes in every state. */
const AT_ONCE = 6

let dir: string
beforeEach(async () => {
  dir = await temporaryDirectory()
})
afterEach(async () => {
  await stopOrphan(join(dir, 'pg'))
  expect(await readPidFile(join(dir, 'pg'))).toBeUndefined()
  await rm(dir, { recursive: true })
})
const of = ({ url }: ServeProcess, admin: string) => ({
  admin,
  call: (method: string, path: string, options?: CallOptions) => callAt(url, method, path, options),
})

test.each([5, 20, 35])(
  'kill -9 after %i of 50 publishes loses none that was acknowledged',
  async (killAfter) => {
    const key = newKey()
    const names = Array.from({ length: PUBLISHES }, (_, at) => `acme/p${String(at).padStart(2, '0')}`)
    const releases = await Promise.all(
      names.map((name) =>
        buildRelease(name, '1.0.0', key, { files: [['NOTES', Buffer.from(`of ${name}`)]] }),
      ),
    )
    const victim = await startServe(dir)
    const registry = of(victim, victim.adminToken ?? '')
    await openNamespace(registry, 'acme', key)

    const sent = new Set<string>()
    const acknowledged = new Set<string>()
    const queue = [...releases]
    let killed: Promise<unknown> | undefined
    const publishSome = async (): Promise<void> => {
      for (
        let release = queue.shift();
        release !== undefined && killed === undefined;
        release = queue.shift()
      ) {
        sent.add(release.program)
        const answer = await publishAt(registry, release).catch(() => undefined)
        if (answer?.status === 201) acknowledged.add(release.program)
        if (acknowledged.size >= killAfter) killed ??= victim.end('SIGKILL')
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, publishSome))
    await killed
    expect(acknowledged.size).toBeGreaterThanOrEqual(killAfter)
    expect(acknowledged.size).toBeLessThan(PUBLISHES)

    const restarted = await startServe(dir)
    for (const release of releases) {
      const shown = await callAt(restarted.url, 'GET', `/api/v1/programs/${release.program}/versions/1.0.0`)
      if (acknowledged.has(release.program)) expect(shown.status).toBe(200)
      // one that was under way may have been committed before its answer could be sent: then it is whole
      else if (!sent.has(release.program) || shown.status !== 200) expect(shown.status).toBe(404)
      if (shown.status !== 200) continue
      const view = ReleaseView.parse(shown.json)
      expect(view.files).toHaveLength(release.files.size)
      for (const { name, digest } of view.files) {
        const blob = await callAt(restarted.url, 'GET', `/api/v1/blobs/${digest}`)
        expect(sha256Digest(blob.bytes)).toBe(digest)
        expect(blob.bytes).toEqual(release.files.get(name))
      }
    }
    expect(await readdir(join(dir, 'blobs', 'tmp'))).toEqual([])
    // what did not make it can be published now
    const unsent = releases.filter(({ program }) => !sent.has(program))
    expect(unsent.length).toBeGreaterThan(0)
    for (const release of unsent.slice(0, 1))
      expect((await publishAt(of(restarted, victim.adminToken ?? ''), release)).status).toBe(201)
    expect(await restarted.end('SIGTERM')).toBe(0)
  },
  60_000,
)
