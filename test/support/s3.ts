import { execFileSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from 'minio'
import type { S3Settings } from '../../src/store/s3-blobs.ts'

const SCRIPT = fileURLToPath(new URL('s3.sh', import.meta.url))

/** A real S3 server on loopback. */
export interface S3Server {
  /** Makes a bucket and says how to reach it. */
  bucket(): Promise<S3Settings>
  close(): void
}

/** Another test may take the same ports at the same moment: then it starts at others. */
function startAtFreePort(dir: string): number {
  for (let attempt = 1; ; attempt++) {
    const port = 20_000 + randomInt(50) * 250
    try {
      execFileSync(SCRIPT, ['up', dir, String(port)], { stdio: ['ignore', 'ignore', 'inherit'] })
      return port
    } catch (thrown) {
      if (attempt === 3) throw thrown
      rmSync(dir, { recursive: true })
    }
  }
}

/** Starts Ceph's radosgw over an in-memory store; it takes some ten seconds. */
export function startS3(): S3Server {
  const dir = mkdtempSync(join(tmpdir(), 'hookline-s3-'))
  const port = startAtFreePort(dir)
  const [accessKey, secretKey, region] = ['testkey', 'testsecret123', 'us-east-1']
  const client = new Client({ endPoint: '127.0.0.1', port, useSSL: false, accessKey, secretKey, region })
  let buckets = 0
  return {
    bucket: async () => {
      buckets += 1
      const bucket = `blobs-${buckets}`
      await client.makeBucket(bucket)
      return { endpoint: `http://127.0.0.1:${port}`, bucket, accessKey, secretKey }
    },
    close: () => {
      execFileSync(SCRIPT, ['down', dir])
      rmSync(dir, { recursive: true })
    },
  }
}
