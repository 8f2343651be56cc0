import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { generateKeyPair, type PrivateKey, parsePrivateKey } from '../../src/attest/keys.ts'
import { signOrder } from '../../src/attest/order.ts'
import { signRevocation } from '../../src/attest/revocation.ts'
import { signRelease } from '../../src/attest/sign-release.ts'
import { logClient } from '../../src/client/log-client.ts'
import { type RegistryClient, registryClient } from '../../src/client/registry-client.ts'
import { FunctionSpec } from '../../src/domain/function.ts'
import { parseManifest } from '../../src/domain/manifest.ts'
import { MANIFEST_FILE } from '../../src/domain/names.ts'
import { buildProgram, PROGRAMS } from '../build-programs.ts'
import type { Cleanup } from '../demo/cleanup.ts'
import { type Service, startService } from '../demo/processes.ts'

/** The command line, from its sources. */
export const BINARY = fileURLToPath(new URL('../../src/bin/hookline.ts', import.meta.url))
const PROGRAM = 'hookline/scrub'
/** The version that is there from the start. */
export const FIRST = '1.0.0'
const FUNCTION = 'simulated'
const Started = z.object({ url: z.string(), adminToken: z.string() })

/** The label by which the registry's one function selects nodes. */
export const LABELS = { role: 'simulated' } as const

/** A registry of its own, with one release of a program and the function that has all nodes run it. */
export interface FleetRegistry {
  readonly url: string
  readonly pid: number
  readonly dir: string
  readonly client: RegistryClient
  /** Of every node: it follows the log, and believes the registry's one operator and one publisher. */
  readonly trustFile: string
  joinToken(uses: number): Promise<string>
  /** Publishes a version of the program. */
  publish(version: string): Promise<void>
  /** Signs a revocation of a version; {@link RegistryClient.revoke} puts it into force. */
  signRevocation(version: string): string
}

/** Starts the registry and gives the order; `cleanup` is told how to remove what was made. */
export async function startFleetRegistry(cleanup: Cleanup): Promise<FleetRegistry> {
  const dir = mkdtempSync(join(tmpdir(), 'hookline-fleet-'))
  chmodSync(dir, 0o711) // the database's user walks through
  cleanup.add('temporary directory', () => rmSync(dir, { recursive: true, force: true }))
  const service = startService(BINARY, ['serve', '--data', join(dir, 'registry'), '--port', '0', '--json'])
  cleanup.add('registry', () => service.stop())
  const { url, adminToken } = await startedOf(service)
  const client = registryClient(url, adminToken)
  const [publisher, operator] = [newKey(), newKey()]
  await client.createNamespace('hookline')
  await client.putKey('hookline', publisher.publicKey)
  await client.putOperatorKey(operator.publicKey)
  const trustFile = join(dir, 'trust.yaml')
  writeFileSync(trustFile, await policyText(url, publisher, operator))
  const files = programFiles(join(dir, 'program'))
  const publish = async (version: string): Promise<void> => {
    const manifest =
      files
        .get(MANIFEST_FILE)
        ?.toString()
        .replace(/^version:.*$/m, `version: ${version}`) ?? ''
    const release = new Map(files).set(MANIFEST_FILE, Buffer.from(manifest))
    const { name: program } = parseManifest(manifest)
    const bundle = await signRelease({ program, version, files: release }, publisher)
    await client.publish({ files: release, bundle, visibility: 'public' })
  }
  await publish(FIRST)
  await client.putFunction(FUNCTION, signOrder({ kind: 'apply', revision: 1, function: SPEC }, operator))
  return {
    ...{ url, dir, client, trustFile, pid: service.pid },
    joinToken: async (maxUses) => (await client.createJoinToken({ maxUses, labels: LABELS })).secret,
    publish,
    signRevocation: (version) =>
      signRevocation(
        {
          revoked: { kind: 'release', program: PROGRAM, version },
          ...{ reason: 'faulty', message: 'a drill', at: new Date().toISOString() },
        },
        publisher,
      ),
  }
}

/** Runs the newest 1.x on every node's first interface; what is revoked leaves the chain. */
const SPEC = FunctionSpec.parse({
  ...{ kind: 'function', name: FUNCTION, selector: LABELS, interfaces: ['eth0'], onRevoke: 'detach' },
  instances: [{ use: `${PROGRAM}@^1.0` }],
})

const newKey = (): PrivateKey => parsePrivateKey(generateKeyPair('ed25519').privateKey)

async function startedOf(service: Service): Promise<z.infer<typeof Started>> {
  return Started.parse(JSON.parse(await service.line((line) => line.startsWith('{'))))
}

async function policyText(url: string, publisher: PrivateKey, operator: PrivateKey): Promise<string> {
  const catalog = (await logClient(url, undefined).logs()).find(({ log }) => log === 'catalog')
  return `operators: [{ key: "${operator.publicKey.fingerprint}" }]
log: { key: "${catalog?.key}" }
programs:
  - match: "hookline/*"
    signers: [{ key: "${publisher.publicKey.fingerprint}" }]
    permissions: [drop]
`
}

function programFiles(outDir: string): Map<string, Buffer> {
  const { dir, files } = buildProgram(join(PROGRAMS, 'scrub'), { outDir })
  return new Map(files.map((name) => [name, readFileSync(join(dir, name))]))
}
