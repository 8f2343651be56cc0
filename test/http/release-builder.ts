import { stringify } from 'yaml'
import { generateKeyPair, type PrivateKey, parsePrivateKey } from '../../src/attest/keys.ts'
import { signRelease } from '../../src/attest/sign-release.ts'
import { compileBpf } from '../support/compile-bpf.ts'
import type { Answer, CallOptions, RunningRegistry } from './running-registry.ts'

/** A new key pair, ready to sign. */
export const newKey = (algorithm: 'p256' | 'ed25519' = 'p256'): PrivateKey =>
  parsePrivateKey(generateKeyPair(algorithm).privateKey)

let object: Buffer | undefined
/** A small XDP object with one switch, compiled once. */
export function xdpObject(): Buffer {
  object ??= compileBpf(`
    #include <linux/bpf.h>
    #include <bpf/bpf_helpers.h>
    const volatile __u32 cfg_limit = 5;
    SEC("xdp") int xdp_small(struct xdp_md *ctx) { return cfg_limit > 9 ? XDP_DROP : XDP_PASS; }
    char _license[] SEC("license") = "GPL";
  `)
  return object
}

/** A release as a publisher holds it. */
export interface BuiltRelease {
  readonly program: string
  readonly version: string
  /** hookline.yaml among them. */
  readonly files: Map<string, Buffer>
  readonly bundle: string
}

/** Builds and signs a release; `manifest` overrides fields, `files` adds files. */
export async function buildRelease(
  program: string,
  version: string,
  key: PrivateKey,
  { manifest = {}, files = [] }: { manifest?: object; files?: [string, Buffer][] } = {},
): Promise<BuiltRelease> {
  const yaml = stringify({
    name: program,
    version,
    summary: `Test ${version}`,
    license: 'GPL-2.0-only',
    source: 'https://example.org/source',
    programs: [{ object: 'small.bpf.o', entry: 'xdp_small', hook: 'xdp' }],
    config: [{ name: 'limit', variable: 'cfg_limit', type: 'u32', default: 5 }],
    permissions: ['drop'],
    ...manifest,
  })
  const all = new Map([['hookline.yaml', Buffer.from(yaml)], ['small.bpf.o', xdpObject()], ...files])
  return { program, version, files: all, bundle: await signRelease({ program, version, files: all }, key) }
}

/** A release as it is sent; `bundles` are those of further signers. */
interface SentRelease {
  readonly files: ReadonlyMap<string, Buffer>
  readonly bundle?: string
  readonly bundles?: readonly string[]
  readonly provenance?: string
}

/** The upload of a release; without `bundle` it is unsigned. */
export function releaseForm({ files, bundle, bundles = [], provenance }: SentRelease): FormData {
  const form = new FormData()
  for (const [name, bytes] of files) {
    const blob = new Blob([new Uint8Array(bytes)])
    if (name === 'hookline.yaml') form.append('manifest', blob, name)
    else form.append('file', blob, name)
  }
  for (const one of bundle === undefined ? [] : [bundle, ...bundles])
    form.append('bundle', new Blob([one]), 'bundle.json')
  if (provenance !== undefined) form.append('provenance', new Blob([provenance]), 'provenance.json')
  return form
}

/** Publishes at a registry, by default with its admin token. */
export const publishAt = (
  registry: Pick<RunningRegistry, 'call' | 'admin'>,
  release: SentRelease,
  options: CallOptions = {},
): Promise<Answer> =>
  registry.call('POST', '/api/v1/releases', { token: registry.admin, form: releaseForm(release), ...options })

/** Makes a namespace whose one signer is `key`. */
export async function openNamespace(
  registry: Pick<RunningRegistry, 'call' | 'admin'>,
  name: string,
  key: PrivateKey,
): Promise<void> {
  await registry.call('POST', '/api/v1/namespaces', { token: registry.admin, body: { name } })
  await addKey(registry, `/api/v1/namespaces/${name}/keys`, key)
}

/** Adds a key under a path of keys. */
export const addKey = (
  registry: Pick<RunningRegistry, 'call' | 'admin'>,
  path: string,
  { fingerprint, publicKey }: PrivateKey,
): Promise<Answer> =>
  registry.call('PUT', `${path}/${fingerprint}`, {
    token: registry.admin,
    body: { publicKey: publicKey.spki.toString('base64') },
  })
