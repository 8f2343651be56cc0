import { beforeEach, describe, expect, test } from 'vitest'
import { obtainRelease, type VerifiedRelease } from '../../src/agent/release-source.ts'
import { rememberVerdicts } from '../../src/agent/verdicts.ts'
import { type PublicKey, sha256Digest } from '../../src/attest/keys.ts'
import { asDomainError } from '../../src/domain/errors.ts'
import { MANIFEST_FILE } from '../../src/domain/names.ts'
import type { ReleaseDescriptor } from '../../src/domain/release.ts'
import { parseTrustPolicy, type TrustPolicy } from '../../src/domain/trust-policy.ts'
import { type BuiltRelease, buildRelease, newKey, xdpObject } from '../http/release-builder.ts'
import { describeRelease, resigned } from './held-release.ts'

const [acme, evil] = [newKey(), newKey('ed25519')]
const KEYS: readonly PublicKey[] = [acme.publicKey, evil.publicKey]
const POLICY = parseTrustPolicy(`
programs:
  - { match: "acme/*", signers: [{ key: "${acme.fingerprint}" }], permissions: [drop], minVersion: { "acme/limit": "1.1.0" } }
  - { match: "evil/*", signers: [{ key: "${evil.fingerprint}" }], permissions: [drop] }
`)
const OBJECT = 'small.bpf.o'

/** What the registry hands out, and what the disk holds. */
let [served, cached] = [new Map<string, Buffer>(), new Map<string, Buffer>()]
let fetched: string[] = []
beforeEach(() => {
  served = new Map()
  cached = new Map()
  fetched = []
})

function serve(files: ReadonlyMap<string, Buffer>): void {
  for (const bytes of files.values()) served.set(sha256Digest(bytes), bytes)
}
function obtain(
  descriptor: ReleaseDescriptor,
  policy: TrustPolicy = POLICY,
  keys: readonly PublicKey[] = KEYS,
): Promise<VerifiedRelease> {
  return obtainRelease(
    descriptor,
    {
      ...{ policy, keys, verdicts: rememberVerdicts(), now: new Date(), emergency: false },
      state: { releaseSeen: async (_, now) => now },
      vet: async () => undefined,
    },
    {
      blob: async (digest) => cached.get(digest),
      saveBlob: async (digest, bytes) => void cached.set(digest, bytes),
    },
    {
      blob: async (digest) => {
        fetched.push(digest)
        return served.get(digest) ?? Buffer.alloc(0)
      },
    },
    new AbortController().signal,
  )
}
async function refusal(descriptor: ReleaseDescriptor, keys = KEYS): Promise<string> {
  try {
    const { ref } = await obtain(descriptor, POLICY, keys)
    return `accepted ${ref}`
  } catch (error) {
    return asDomainError(error).code
  }
}
const release = (program = 'acme/limit', version = '1.2.0', options = {}): Promise<BuiltRelease> =>
  buildRelease(program, version, program.startsWith('acme/') ? acme : evil, options)

/** Bytes with the last bit changed. */
const changed = (bytes: Buffer = Buffer.alloc(1)): Buffer => {
  const copy = Buffer.from(bytes)
  copy.writeUInt8((copy.at(-1) ?? 0) ^ 1, copy.length - 1)
  return copy
}
const swapped = (files: ReadonlyMap<string, Buffer>, name: string, bytes: Buffer): Map<string, Buffer> =>
  new Map([...files].map(([each, content]) => [each, each === name ? bytes : content]))

describe('an honest release', () => {
  test('is given with the very buffers that were checked, and who signed', async () => {
    const built = await release()
    serve(built.files)
    const got = await obtain(describeRelease(built))
    expect(got).toMatchObject({ ref: 'acme/limit@1.2.0', signers: [acme.fingerprint] })
    expect(got.files.get(OBJECT)).toBe(served.get(sha256Digest(xdpObject())))
    expect(got.manifest.programs).toHaveLength(1)
    expect(got.objects.get(OBJECT)?.programs.map(({ name }) => name)).toEqual(['xdp_small'])
  })
  test('is fetched once: the second time nothing is asked of the registry', async () => {
    const built = await release()
    serve(built.files)
    await obtain(describeRelease(built))
    expect(fetched).toHaveLength(2)
    served.clear()
    await obtain(describeRelease(built))
    expect(fetched).toHaveLength(2)
  })
  test('is fetched again where the disk damaged it, and only there', async () => {
    const built = await release()
    serve(built.files)
    await obtain(describeRelease(built))
    const digest = sha256Digest(xdpObject())
    cached.set(digest, changed(xdpObject()))
    fetched = []
    await obtain(describeRelease(built))
    expect(fetched).toEqual([digest])
    expect(cached.get(digest)?.equals(xdpObject())).toBe(true)
  })
})

describe('what the verified bytecode can do is held against what the policy grants', () => {
  const granting = (permissions: string): TrustPolicy =>
    parseTrustPolicy(
      `programs: [{ match: "acme/*", signers: [{ key: "${acme.fingerprint}" }]${permissions} }]`,
    )
  const outcome = async (built: BuiltRelease, policy: TrustPolicy): Promise<string> => {
    serve(built.files)
    try {
      return `accepted ${(await obtain(describeRelease(built), policy)).ref}`
    } catch (error) {
      return `${asDomainError(error).code}: ${asDomainError(error).message}`
    }
  }
  test.each([
    ['that says nothing grants nothing', ''],
    ['with an empty list grants nothing', ', permissions: []'],
    ['with other permissions does not grant it', ', permissions: [transmit, redirect, modify-packet]'],
  ])('a rule %s', async (_, permissions) =>
    expect(await outcome(await release(), granting(permissions))).toMatch(
      /^permission_not_granted: trust.yaml does not grant acme\/limit@1.2.0 drop \(may return a verdict to drop in xdp_small/,
    ),
  )
  test.each([', permissions: [drop]', ', permissions: [drop, transmit]', ', permissions: [unknown]'])(
    'a rule grants it%s',
    async (permissions) =>
      expect(await outcome(await release(), granting(permissions))).toBe('accepted acme/limit@1.2.0'),
  )
  test('whatever the manifest says of it', async () => {
    const silent = await release('acme/limit', '1.2.0', { manifest: { permissions: [] } })
    expect(await outcome(silent, granting(''))).toMatch(/^permission_not_granted/)
    const boastful = await release('acme/limit', '1.2.0', { manifest: { permissions: ['drop', 'transmit'] } })
    expect(await outcome(boastful, granting(', permissions: [drop]'))).toMatch(/^accepted/)
  })
})

describe('the policy decides before anything is downloaded', () => {
  test.each([
    ['a program that no rule names', 'other/limit', '1.2.0', 'policy_denied'],
    ['a version below the minimum', 'acme/limit', '1.0.9', 'below_min_version'],
    ['a pre-release of the minimum', 'acme/limit', '1.1.0-rc.1', 'below_min_version'],
  ])('%s', async (_, program, version, code) => {
    const built = await release(program, version)
    serve(built.files)
    expect(await refusal(describeRelease(built))).toBe(code)
    expect(fetched).toEqual([])
  })
  test.each([
    ['acme/limit', '1.1.0'],
    ['acme/other', '0.0.1'],
    ['evil/limit', '0.0.1'],
  ])('and lets %s@%s through', async (program, version) => {
    const built = await release(program, version)
    serve(built.files)
    expect(await refusal(describeRelease(built))).toBe(`accepted ${program}@${version}`)
  })
})

describe('an attack by whoever holds the registry is refused:', () => {
  test('other bytes under an honest digest are not kept', async () => {
    const built = await release()
    serve(built.files)
    served.set(sha256Digest(xdpObject()), changed(xdpObject()))
    expect(await refusal(describeRelease(built))).toBe('digest_mismatch')
    expect([...cached.keys()]).not.toContain(sha256Digest(xdpObject()))
  })
  test('bytes of another length than described', async () => {
    const built = await release()
    serve(built.files)
    const descriptor = describeRelease(built)
    const files = descriptor.files.map((file) => ({ ...file, size: file.size + 1 }))
    expect(await refusal({ ...descriptor, files })).toBe('digest_mismatch')
  })
  test.each([
    ['an altered object', OBJECT, 'subject_mismatch'],
    ['an altered manifest', MANIFEST_FILE, 'manifest_mismatch'],
  ])('%s, its digest altered to fit', async (_, name, code) => {
    const built = await release()
    const files = swapped(built.files, name, changed(built.files.get(name)))
    serve(files)
    expect(await refusal(describeRelease(built, files))).toBe(code)
    expect([fetched, [...cached.keys()]]).toEqual([[], []]) // what was not signed is not even asked for
  })
  test('a genuine object of another release of the same signer', async () => {
    const [built, other] = [await release(), await release('acme/other')]
    const files = swapped(built.files, OBJECT, changed(xdpObject()))
    const genuine = await resigned(other, swapped(other.files, OBJECT, changed(xdpObject())), acme)
    serve(genuine.files)
    serve(built.files)
    expect(await refusal(describeRelease(built, files))).toBe('subject_mismatch')
  })
  test('a further file', async () => {
    const built = await release()
    const files = new Map([...built.files, ['README.md', Buffer.from('hello')]])
    serve(files)
    expect(await refusal(describeRelease(built, files))).toBe('subject_unsigned')
  })
  test('a file that is left out', async () => {
    const built = await release('acme/limit', '1.2.0', { files: [['README.md', Buffer.from('hello')]] })
    const files = new Map([...built.files].filter(([name]) => name !== 'README.md'))
    serve(files)
    expect(await refusal(describeRelease(built, files))).toBe('subject_missing')
  })
  test('one file listed twice', async () => {
    const built = await release()
    serve(built.files)
    const descriptor = describeRelease(built)
    const files = [...descriptor.files, ...descriptor.files.slice(0, 1)]
    expect(await refusal({ ...descriptor, files })).toBe('subject_mismatch')
  })
  test('no signature', async () => {
    const built = await release()
    serve(built.files)
    expect(await refusal({ ...describeRelease(built), bundle: '' })).toBe('bundle_missing')
  })
  test('a stranger’s signature', async () => {
    const stranger = newKey()
    const built = await buildRelease('acme/limit', '1.2.0', stranger)
    serve(built.files)
    expect(await refusal(describeRelease(built), [...KEYS, stranger.publicKey])).toBe('signer_not_allowed')
  })
  test('the signature of a signer who is accepted for another namespace', async () => {
    const built = await buildRelease('acme/limit', '1.2.0', evil)
    serve(built.files)
    expect(await refusal(describeRelease(built))).toBe('signer_not_allowed')
  })
  test('an accepted signer whose key is withheld', async () => {
    const built = await release()
    serve(built.files)
    expect(await refusal(describeRelease(built), [evil.publicKey])).toBe('signer_not_allowed')
  })
  test('a genuine older release shown as a newer one', async () => {
    const built = await release('acme/limit', '1.0.0')
    serve(built.files)
    expect(await refusal({ ...describeRelease(built), version: '1.3.0' })).toBe('release_mismatch')
  })
  test('a genuine release of another program', async () => {
    const built = await release('acme/other')
    serve(built.files)
    expect(await refusal({ ...describeRelease(built), program: 'acme/limit' })).toBe('release_mismatch')
  })
})

describe('what its own signer did wrong is refused too:', () => {
  test.each([
    ['a manifest of another version', { version: '1.2.1' }, 'release_mismatch'],
    ['a manifest of another program', { name: 'acme/other' }, 'release_mismatch'],
    ['a manifest that cannot be read', { programs: [] }, 'invalid_manifest'],
    ['a required sysctl', { requires: { sysctl: { 'net.core.bpf_jit_enable': 1 } } }, 'not_supported_yet'],
    ['a required feature', { requires: { features: ['kfuncs'] } }, 'not_supported_yet'],
    ['a limit of time', { limits: { nsPerPacket: 100 } }, 'not_supported_yet'],
    [
      'an entry that is not there',
      { programs: [{ object: OBJECT, entry: 'xdp_big', hook: 'xdp' }] },
      'entry_not_found',
    ],
    [
      'a variable of another type',
      { config: [{ name: 'limit', variable: 'cfg_limit', type: 'u64', default: 5 }] },
      'object_mismatch',
    ],
    [
      'an object that is not among its files',
      { programs: [{ object: 'other.bpf.o', entry: 'xdp_small', hook: 'xdp' }] },
      'object_mismatch',
    ],
  ])('%s', async (_, manifest, code) => {
    const built = await release('acme/limit', '1.2.0', { manifest })
    serve(built.files)
    expect(await refusal(describeRelease(built))).toBe(code)
  })
  test('an object that is none', async () => {
    const built = await release()
    const broken = await resigned(built, swapped(built.files, OBJECT, Buffer.from('#!/bin/sh')), acme)
    serve(broken.files)
    expect(await refusal(describeRelease(broken))).toBe('elf_not_elf')
  })
})
