import { execFileSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
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

/** Ports of a server: from its own on. */
const PORTS = 250
const FIRST_PORT = 20_000
const SERVERS = 50

/** Ports that nobody else takes, in another process of the tests either, until what holds them is closed. */
async function reservePorts(): Promise<{ port: number; held: Server }> {
  const first = randomInt(SERVERS)
  for (let tried = 0; tried < SERVERS; tried++) {
    const port = FIRST_PORT + ((first + tried) % SERVERS) * PORTS
    const held = createServer()
    const free = await new Promise<boolean>((answer) => {
      held.once('error', () => answer(false))
      held.listen(port + PORTS - 1, '127.0.0.1', () => answer(true))
    })
    if (free) return { port, held }
  }
  throw new Error('no ports are free')
}

/** Starts Ceph's radosgw over an in-memory store; it takes some ten seconds. */
export async function startS3(): Promise<S3Server> {
  const dir = mkdtempSync(join(tmpdir(), 'hookline-s3-'))
  const { port, held } = await reservePorts()
  execFileSync(SCRIPT, ['up', dir, String(port)], { stdio: ['ignore', 'ignore', 'inherit'] })
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
      held.close()
      rmSync(dir, { recursive: true })
    },
  }
}
