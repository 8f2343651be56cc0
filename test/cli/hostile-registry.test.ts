import { access, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { generateKeyPair, parsePrivateKey, sha256Digest } from '../../src/attest/keys.ts'
import { signRelease } from '../../src/attest/sign-release.ts'
import { runCli } from '../../src/cli/run.ts'
import type { ReleaseView } from '../../src/domain/release.ts'
import { HttpDouble, json } from '../client/double.ts'
import { memoryIo, scratch } from './hookline.ts'

const folder = await scratch()
const pair = generateKeyPair('p256')
const key = parsePrivateKey(pair.privateKey)
const signer = join(folder, 'signer.pub.pem')
await writeFile(signer, pair.publicKey)

const manifest = (version: string): string => `name: acme/limit
version: ${version}
summary: Limits
license: MIT
programs: [{ object: limit.bpf.o, entry: xdp_limit, hook: xdp }]
`
const filesOf = (version: string, object: string): Map<string, Buffer> =>
  new Map([
    ['hookline.yaml', Buffer.from(manifest(version))],
    ['limit.bpf.o', Buffer.from(object)],
  ])
const good = filesOf('1.4.0', 'good object')
const bundleOf = (version: string, files: ReadonlyMap<string, Buffer>): Promise<string> =>
  signRelease({ program: 'acme/limit', version, files }, key)
const bundle = await bundleOf('1.4.0', good)

const evil = filesOf('1.4.0', 'evil object')
const older = filesOf('1.3.0', 'older object')
const olderBundle = await bundleOf('1.3.0', older)
const stranger = parsePrivateKey(generateKeyPair('ed25519').privateKey)
const strangersBundle = await signRelease({ program: 'acme/limit', version: '1.4.0', files: evil }, stranger)
const misnamed = filesOf('1.3.0', 'object')
const misnamedBundle = await bundleOf('1.4.0', misnamed)
const [first] = [...good].map(([name, bytes]) => ({ name, digest: sha256Digest(bytes), size: bytes.length }))

/** What the registry answers for acme/limit@1.4.0. */
interface Lie {
  readonly files?: ReadonlyMap<string, Buffer>
  readonly bundle?: string
  readonly view?: Partial<ReleaseView>
  /** Bytes served for any digest. */
  readonly blob?: Buffer
}

const notHere = (): Promise<never> => Promise.reject(new Error('not here'))
const services = { serve: notHere, witness: notHere, agent: notHere, doctor: notHere, verifyRunning: notHere }
let double: HttpDouble | undefined
afterEach(async () => {
  await double?.close()
  double = undefined
})
async function registryThat(lie: Lie): Promise<string> {
  const files = lie.files ?? good
  const view: ReleaseView = {
    program: 'acme/limit',
    version: '1.4.0',
    files: [...files].map(([name, bytes]) => ({ name, digest: sha256Digest(bytes), size: bytes.length })),
    ...{ bundle: lie.bundle ?? bundle, bundles: [] },
    ...{ signer: key.fingerprint, signers: [key.fingerprint] },
    publishedAt: '2026-06-01T12:00:00Z',
    summary: 'Limits',
    license: 'MIT',
    hooks: ['xdp'],
    permissions: [],
    ...lie.view,
  }
  const blobs = new Map([...files.values()].map((bytes) => [`/api/v1/blobs/${sha256Digest(bytes)}`, bytes]))
  double = await HttpDouble.start(({ path }, response) => {
    const blob = blobs.get(path)
    if (blob !== undefined) response.end(lie.blob ?? blob)
    else json(response, 200, view)
  })
  return double.url
}
async function pulls(lie: Lie): Promise<{ code: number; err: string; wrote: boolean }> {
  const out = join(folder, `out-${Math.random()}`)
  const io = memoryIo()
  const args = [
    'pull',
    'acme/limit@1.4.0',
    '--out',
    out,
    '--signer',
    signer,
    '--url',
    await registryThat(lie),
  ]
  const code = await runCli(args, io, services, '0')
  const wrote = await access(out).then(
    () => true,
    () => false,
  )
  return { code, err: io.err, wrote }
}

describe('pull from a registry that', () => {
  test('tells the truth writes the files', async () => {
    expect(await pulls({})).toEqual({ code: 0, err: '', wrote: true })
  })

  test.each<[string, Lie, string]>([
    ['serves other bytes for a digest', { blob: Buffer.from('evil object') }, 'digest_mismatch'],
    ['serves more bytes than it said', { blob: Buffer.alloc(100_000) }, 'too_large'],
    ['serves a consistent set without a signature', { files: evil, bundle: '' }, 'bundle_missing'],
    ['keeps the signature and swaps the object', { files: evil }, 'subject_mismatch'],
    ['signs its own set', { files: evil, bundle: strangersBundle }, 'signer_not_allowed'],
    ['passes an older release off as this one', { files: older, bundle: olderBundle }, 'release_mismatch'],
    ['adds a file', { files: new Map([...good, ['extra.o', Buffer.from('x')]]) }, 'subject_unsigned'],
    ['leaves a file out', { files: new Map([...good].slice(0, 1)) }, 'subject_missing'],
    [
      'names a file twice',
      { view: { files: [first, first].filter((file) => file !== undefined) } },
      'registry_answer',
    ],
    [
      'names a file outside the directory',
      { view: { files: [{ ...first, name: '../x' } as ReleaseView['files'][number]] } },
      'registry_answer',
    ],
    ['answers about another release', { view: { version: '1.3.0' } }, 'registry_answer'],
    [
      'has a manifest of another release, signed so',
      { files: misnamed, bundle: misnamedBundle },
      'release_mismatch',
    ],
  ])('%s writes nothing', async (_, lie, code) => {
    const pulled = await pulls(lie)
    expect(pulled.err).toContain(`[${code}]`)
    expect(pulled.wrote).toBe(false)
    expect(pulled.code).not.toBe(0)
  })

  test('sends a name that would move the cursor is shown harmlessly', async () => {
    const io = memoryIo()
    const url = await registryThat({ view: { summary: 'nice\u001b[2J', license: '\u202eTIM' } })
    expect(await runCli(['show', 'acme/limit@1.4.0', '--url', url], io, services, '0')).toBe(0)
    expect(io.out).toContain('nice\\u{1b}[2J')
    for (const character of ['\u001b', '\u202e']) expect(io.out).not.toContain(character)
  })
  test('is shown harmlessly as JSON, too, and by its failures', async () => {
    const io = memoryIo()
    const url = await registryThat({ view: { summary: 'nice\u009b2J', license: '\u202eTIM' } })
    expect(await runCli(['show', 'acme/limit@1.4.0', '--json', '--url', url], io, services, '0')).toBe(0)
    expect(JSON.parse(io.out)).toMatchObject({ summary: 'nice\u009b2J', license: '\u202eTIM' })
    await double?.close()
    double = await HttpDouble.start((_, response) =>
      json(response, 404, { code: 'not_found', detail: '\u2066gone\u009b' }),
    )
    expect(await runCli(['show', 'acme/limit@1.4.0', '--json', '--url', double.url], io, services, '0')).toBe(
      4,
    )
    expect(io.out).toContain('\\u2066gone\\u009b')
    expect(io.out).not.toMatch(/[\u0080-\u009f\u202e\u2066]/)
  })
})
