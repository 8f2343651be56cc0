import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import {
  fulcioHandler,
  type HandlerFn,
  initializeCA,
  initializeCTLog,
  initializeTSA,
  tsaHandler,
} from '@sigstore/mock'
import { TrustedRoot } from '@sigstore/protobuf-specs'

/** Services that sign for identities, on loopback: certificates with their log, and timestamps. */
export interface SigstoreDouble {
  readonly url: string
  /** trusted_root.json of these services. */
  readonly trustedRoot: string
  close(): Promise<void>
}

const SINCE = '2020-01-01T00:00:00Z'

/** Starts the services; `late_s`: how much later than the certificates the timestamps are. */
export async function startSigstore({ late_s = 0, log = true } = {}): Promise<SigstoreDouble> {
  // timestamps of the double are read only in whole seconds, and must not be before its own certificates are made
  const now = new Date((Math.floor(Date.now() / 1000) + 60) * 1000)
  const pair = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve })
  const ctlog = await initializeCTLog(pair('P-256'))
  const ca = await initializeCA(pair('P-384'), log ? ctlog : undefined, now)
  const tsa = await initializeTSA(pair('P-384'), new Date(now.getTime() + late_s * 1000))
  const handlers = new Map<string, HandlerFn>(
    [fulcioHandler(ca), tsaHandler(tsa)].map(({ path, fn }) => [path, fn]),
  )
  const server = createServer(async (request, reply) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part)
    const handle = handlers.get(request.url ?? '')
    const answer = await handle?.(Buffer.concat(parts).toString())
    reply.statusCode = answer?.statusCode ?? 404
    if (answer?.contentType !== undefined) reply.setHeader('content-type', answer.contentType)
    const body = answer?.response ?? ''
    reply.end(typeof body === 'string' ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength))
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  const certificate = (view: ArrayBufferView<ArrayBuffer>) => ({ rawBytes: base64(view) })
  const authority = (certificates: ArrayBufferView<ArrayBuffer>[]) => ({
    subject: { organization: 'test', commonName: 'test' },
    uri: url,
    certChain: { certificates: certificates.map(certificate) },
    validFor: { start: SINCE },
  })
  const root = TrustedRoot.fromJSON({
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: [],
    certificateAuthorities: [authority([ca.rootCertificate])],
    timestampAuthorities: [authority([tsa.intCertificate, tsa.rootCertificate])],
    ctlogs: log
      ? [
          {
            baseUrl: url,
            hashAlgorithm: 'SHA2_256',
            publicKey: {
              rawBytes: ctlog.publicKey.toString('base64'),
              keyDetails: 'PKIX_ECDSA_P256_SHA_256',
              validFor: { start: SINCE },
            },
            logId: { keyId: base64(ctlog.logID) },
          },
        ]
      : [],
  })
  return {
    url,
    trustedRoot: JSON.stringify(TrustedRoot.toJSON(root)),
    close: () =>
      new Promise((closed) => {
        server.closeAllConnections()
        server.close(() => closed())
      }),
  }
}

const base64 = (view: ArrayBufferView<ArrayBuffer>): string =>
  Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString('base64')
