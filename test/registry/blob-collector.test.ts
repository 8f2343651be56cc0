import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type PrivateKey, sha256Digest } from '../../src/attest/keys.ts'
import { DomainError } from '../../src/domain/errors.ts'
import type { Digest } from '../../src/domain/names.ts'
import { Problem } from '../../src/http/problem.ts'
import type { BlobClaims } from '../../src/ports/blob-claims.ts'
import type { BlobStore } from '../../src/ports/blob-store.ts'
import { startBlobCollector } from '../../src/registry/blob-collector.ts'
import { keepBlobs } from '../../src/registry/keep-blobs.ts'
import { nameBlobs } from '../../src/store/blob-claims.ts'
import { openS3Blobs } from '../../src/store/s3-blobs.ts'
import { buildRelease, newKey, openNamespace, publishAt } from '../http/release-builder.ts'
import { type Answer, type RunningRegistry, startRegistry } from '../http/running-registry.ts'
import { type S3Server, startS3 } from '../support/s3.ts'

const failing = new DomainError('blob_store_failed', 'it does not')
let server: S3Server | undefined
afterAll(() => server?.close())

describe.each([
  ['files', async () => undefined],
  [
    'a bucket',
    async () => {
      server = await startS3()
      return openS3Blobs(await server.bucket())
    },
  ],
])('of blobs in %s', (_, open) => {
  let registry: RunningRegistry
  let key: PrivateKey
  beforeAll(async () => {
    const blobs: BlobStore | undefined = await open()
    registry = await startRegistry(undefined, undefined, blobs === undefined ? {} : { blobs })
    key = newKey()
    await openNamespace(registry, 'acme', key)
  }, 120_000)
  afterAll(async () => {
    expect(registry.failures).toEqual([])
    await registry.close()
  })

  /** Bytes that nobody else has. */
  let made = 0
  const newBytes = (): { bytes: Buffer; digest: Digest } => {
    made += 1
    const bytes = Buffer.from(`file ${made}`)
    return { bytes, digest: sha256Digest(bytes) }
  }
  /** Publishes a release that has a file of these bytes. */
  const publish = async (version: string, bytes: Buffer, program = 'acme/limit'): Promise<Answer> => {
    const files: [string, Buffer][] = [['README.md', bytes]]
    const release = await buildRelease(program, version, key, { manifest: { readme: 'README.md' }, files })
    return publishAt(registry, release)
  }
  const remove = async (version: string): Promise<void> => {
    const path = `/api/v1/programs/acme/limit/versions/${version}`
    expect((await registry.call('DELETE', path, { token: registry.admin })).status).toBe(204)
  }
  const stage = (bytes: Buffer): Promise<{ status: number; code?: string }> =>
    fetch(`${registry.url}/api/v1/uploads/${sha256Digest(bytes)}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${registry.admin}`, 'content-type': 'application/octet-stream' },
      body: new Uint8Array(bytes),
    }).then(async (answer) => {
      const { status } = answer
      return status === 200 ? { status } : Problem.parse(await answer.json())
    })
  /** Lets `hours` pass for all that was touched or condemned. */
  const pass = async (hours: number): Promise<void> => {
    await registry.database.prisma.$executeRaw`
      UPDATE "blob" SET "touched_at" = "touched_at" - make_interval(hours => ${hours}::integer),
        "condemned_at" = "condemned_at" - make_interval(hours => ${hours}::integer)`
  }
  const hasBytes = (digest: Digest): Promise<boolean> =>
    registry.services.blobs.open(digest).then(
      (stream) => {
        stream.on('error', () => {}).destroy()
        return true
      },
      (thrown: DomainError) => {
        expect(thrown.code).toBe('not_found')
        return false
      },
    )
  /** Whether the bytes, and what is known of them, are there. */
  const kept = async (digest: Digest): Promise<[boolean, boolean]> => {
    const row = await registry.database.prisma.blob.findUnique({ where: { digest } })
    return [await hasBytes(digest), row !== null]
  }
  const collect = (): Promise<number> => registry.services.blobCollector.run()

  test('bytes of a deleted release go after the grace period, not before, and those that another has stay', async () => {
    const [own, shared] = [newBytes(), newBytes()]
    expect((await publish('1.0.0', own.bytes)).status).toBe(201)
    expect((await publish('1.0.1', shared.bytes)).status).toBe(201)
    expect((await publish('1.0.2', shared.bytes)).status).toBe(201)
    await pass(2)
    await collect()
    expect(await kept(own.digest)).toEqual([true, true])
    await remove('1.0.0')
    await remove('1.0.1')
    await collect()
    expect(await kept(own.digest)).toEqual([true, true])
    await pass(2)
    await collect()
    expect(await kept(own.digest)).toEqual([false, false])
    expect(await kept(shared.digest)).toEqual([true, true])
  })
  test('bytes of a publish that was refused after they were put go', async () => {
    const { bytes, digest } = newBytes()
    expect((await publish('1.0.0', bytes, 'acme/l1mit')).code).toBe('name_look_alike')
    expect(await kept(digest)).toEqual([true, true])
    await pass(2)
    await collect()
    expect(await kept(digest)).toEqual([false, false])
  })
  test('a file that was sent ahead stays for as long as it is kept', async () => {
    const { bytes, digest } = newBytes()
    expect((await stage(bytes)).status).toBe(200)
    await pass(2)
    await collect()
    expect(await kept(digest)).toEqual([true, true])
    const expired = { expiresAt: new Date(Date.now() - 1000) }
    await registry.database.prisma.stagedFile.updateMany({ where: { digest }, data: expired })
    await collect()
    expect(await kept(digest)).toEqual([false, false])
  })

  describe('a publish of bytes that are condemned', () => {
    /** Old bytes that nothing names, and a collector that stops before it removes them until `go` is called. */
    const stopped = async () => {
      const { bytes, digest } = newBytes()
      const { blobs, blobClaims } = registry.services
      await keepBlobs({ blobs, blobClaims }, new Map([[digest, bytes]]))
      await pass(2)
      const [begun, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      const collector = startBlobCollector({
        blobClaims,
        blobs: {
          remove: async (one) => {
            begun.resolve()
            await go.promise
            await blobs.remove(one)
          },
        },
        report: () => {},
      })
      const running = collector.run()
      await begun.promise
      const end = async (): Promise<void> => {
        go.resolve()
        await running
        await collector.close()
      }
      return { bytes, digest, end }
    }
    test('waits until they are gone, and puts them anew', async () => {
      const { bytes, digest, end } = await stopped()
      const { blobs, blobClaims } = registry.services
      const refused = Promise.withResolvers<void>()
      const claim: BlobClaims['claim'] = async (wanted) => {
        const left = await blobClaims.claim(wanted)
        if (left.length > 0) refused.resolve()
        return left
      }
      const keeping = keepBlobs({ blobs, blobClaims: { claim } }, new Map([[digest, bytes]]))
      await refused.promise
      await end()
      await keeping
      expect(await kept(digest)).toEqual([true, true])
      expect((await publish('2.0.0', bytes)).status).toBe(201)
      await collect()
      expect((await registry.call('GET', `/api/v1/blobs/${digest}`)).bytes).toEqual(bytes)
    })
    test('is refused when that takes too long, as is a file sent ahead, which is not listed then', async () => {
      const { bytes, digest, end } = await stopped()
      const [published, staged] = await Promise.all([publish('2.0.1', bytes), stage(bytes)])
      expect(published).toMatchObject({ status: 503, code: 'blob_being_removed' })
      expect(staged).toMatchObject({ status: 503, code: 'blob_being_removed' })
      const { json } = await registry.call('GET', '/api/v1/uploads', { token: registry.admin })
      expect(json).toEqual({ files: [] })
      await end()
      expect(await kept(digest)).toEqual([false, false])
      expect((await publish('2.0.1', bytes)).status).toBe(201)
    })
    test('that did not claim them, or claimed them too long ago, is refused by its own transaction', async () => {
      const { digest, end } = await stopped()
      const { transact } = registry.database
      const named = () => transact((transaction) => nameBlobs(transaction, [digest]))
      await expect(named()).rejects.toMatchObject({ code: 'blob_being_removed' })
      await end()
      await expect(named()).rejects.toMatchObject({ code: 'blob_being_removed' })
    })
    test('that locked them before the collector came keeps them', async () => {
      const { bytes, digest } = newBytes()
      await keepBlobs(registry.services, new Map([[digest, bytes]]))
      await pass(2)
      await registry.database.transact(async (transaction) => {
        await nameBlobs(transaction, [digest])
        await collect()
      })
      await collect()
      expect(await kept(digest)).toEqual([true, true])
    })
    test('at whatever moment it comes, has its bytes or is refused', async () => {
      const { bytes, digest } = newBytes()
      await keepBlobs(registry.services, new Map([[digest, bytes]]))
      for (let round = 0; round < 12; round++) {
        await pass(2)
        const version = `3.0.${round}`
        const [published] = await Promise.all([publish(version, bytes), collect(), collect()])
        expect(published.status).toBe(201)
        expect(await kept(digest)).toEqual([true, true])
        await remove(version)
      }
    }, 60_000)
  })

  describe('what a crash left', () => {
    test.each([
      ['before the bytes were removed', false],
      ['before they were forgotten', true],
    ])('%s is finished by a later run, and not by another at once', async (_, removed) => {
      const { bytes, digest } = newBytes()
      const { blobs, blobClaims } = registry.services
      await keepBlobs({ blobs, blobClaims }, new Map([[digest, bytes]]))
      await pass(2)
      expect((await blobClaims.condemn(100)).digests).toContain(digest)
      if (removed) await blobs.remove(digest)
      await collect()
      expect(await kept(digest)).toEqual([!removed, true])
      await pass(2)
      await collect()
      expect(await kept(digest)).toEqual([false, false])
    })
    test('can be kept anew after a while', async () => {
      const { bytes, digest } = newBytes()
      const { blobs, blobClaims } = registry.services
      await keepBlobs({ blobs, blobClaims }, new Map([[digest, bytes]]))
      await pass(2)
      await blobClaims.condemn(100)
      await blobs.remove(digest)
      expect(await blobClaims.claim([{ digest, size: bytes.length }])).toMatchObject([{ digest }])
      await pass(1)
      expect((await publish('4.0.0', bytes)).status).toBe(201)
      await collect()
      expect(await kept(digest)).toEqual([true, true])
    })
    test('is one process’s: another that was slow forgets nothing of it', async () => {
      const { bytes, digest } = newBytes()
      const { blobs, blobClaims } = registry.services
      await keepBlobs({ blobs, blobClaims }, new Map([[digest, bytes]]))
      await pass(2)
      const slow = await blobClaims.condemn(100)
      await pass(2)
      const next = await blobClaims.condemn(100)
      expect(next.digests).toContain(digest)
      await blobClaims.forget(digest, slow.lease)
      expect(await kept(digest)).toEqual([true, true])
      await blobs.remove(digest)
      await blobClaims.forget(digest, next.lease)
      expect(await kept(digest)).toEqual([false, false])
    })
  })

  test('of several processes each removes others', async () => {
    const files = Array.from({ length: 8 }, newBytes)
    const { blobs, blobClaims } = registry.services
    await keepBlobs({ blobs, blobClaims }, new Map(files.map(({ bytes, digest }) => [digest, bytes])))
    await pass(2)
    const taken = await Promise.all(Array.from({ length: 4 }, () => blobClaims.condemn(2)))
    const all = taken.flatMap(({ digests }) => digests)
    expect(new Set(all).size).toBe(all.length)
    await pass(2)
    while ((await collect()) > 0);
    for (const { digest } of files) expect(await kept(digest)).toEqual([false, false])
  })
  test('a store that does not remove one blob is reported, the others go', async () => {
    const [bad, good] = [newBytes(), newBytes()]
    const { blobs, blobClaims } = registry.services
    const files = new Map([bad, good].map(({ bytes, digest }) => [digest, bytes]))
    await keepBlobs({ blobs, blobClaims }, files)
    await pass(2)
    const collector = startBlobCollector({
      blobClaims,
      blobs: {
        remove: async (digest) => {
          if (digest === bad.digest) throw failing
          await blobs.remove(digest)
        },
      },
      report: () => {},
    })
    await expect(collector.run()).rejects.toBe(failing)
    await collector.close()
    expect(await kept(bad.digest)).toEqual([true, true])
    expect(await kept(good.digest)).toEqual([false, false])
  })
})
