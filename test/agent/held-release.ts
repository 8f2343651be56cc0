import type { VerifiedRelease } from '../../src/agent/release-source.ts'
import { sha256Digest } from '../../src/attest/keys.ts'
import { signRelease } from '../../src/attest/sign-release.ts'
import { Manifest } from '../../src/domain/manifest.ts'
import type { ReleaseDescriptor } from '../../src/domain/release.ts'
import { readObject } from '../../src/elf/bpf-object.ts'
import type { BuiltRelease } from '../http/release-builder.ts'
import { compileBpf } from '../support/compile-bpf.ts'

const HEAD = `
  #include <linux/bpf.h>
  #include <stdbool.h>
  #include <bpf/bpf_helpers.h>
  char _license[] SEC("license") = "GPL";
`

/** Compiles BPF C with the usual headers and a license in front. */
export const compile = (source: string, defines: Record<string, string | number> = {}): Buffer =>
  compileBpf(HEAD + source, { defines })

/** A release as if it had been verified: its objects are read, nothing is signed. */
export function heldRelease(files: Record<string, Buffer>, manifest: object = {}): VerifiedRelease {
  const [object = ''] = Object.keys(files)
  const parsed = Manifest.parse({
    ...{ name: 'acme/limit', version: '1.0.0', summary: 'Test', license: 'GPL-2.0-only' },
    programs: [{ object, entry: 'xdp_limit', hook: 'xdp' }],
    ...manifest,
  })
  return {
    ref: `${parsed.name}@${parsed.version}`,
    manifest: parsed,
    signers: [sha256Digest(Buffer.from('nobody'))],
    files: new Map(Object.entries(files)),
    objects: new Map(Object.entries(files).map(([name, bytes]) => [name, readObject(bytes)])),
  }
}

/** What a registry says of a release; `files` overrides those that are described. */
export const describeRelease = (
  { program, version, bundle, files }: BuiltRelease,
  shown: ReadonlyMap<string, Buffer> = files,
): ReleaseDescriptor => ({
  ...{ program, version, bundle, bundles: [] },
  files: [...shown].map(([name, bytes]) => ({ name, digest: sha256Digest(bytes), size: bytes.length })),
})

/** The same release with other files, signed as they are now. */
export async function resigned(
  release: BuiltRelease,
  files: Map<string, Buffer>,
  key: Parameters<typeof signRelease>[1],
): Promise<BuiltRelease> {
  const { program, version } = release
  return { program, version, files, bundle: await signRelease({ program, version, files }, key) }
}
