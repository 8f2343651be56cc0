import semver from 'semver'
import { DomainError } from '../domain/errors.ts'
import type { Manifest } from '../domain/manifest.ts'

/**
 * Refuses a release that asks for another kernel. `kernelRelease` is that of uname(2), such as `6.1.0-18-amd64`; its
 * first three numbers count. Throws `kernel_too_old`, `invalid_manifest`.
 */
export function requireKernel(manifest: Manifest, kernelRelease: string): void {
  const range = manifest.requires?.kernel
  if (range === undefined) return
  if (semver.validRange(range) === null)
    throw new DomainError('invalid_manifest', `${manifest.name}: requires.kernel "${range}" is no range`)
  const running = semver.coerce(kernelRelease)
  if (running === null || !semver.satisfies(running, range))
    throw new DomainError(
      'kernel_too_old',
      `${manifest.name}@${manifest.version} asks for kernel ${range}, this is ${kernelRelease}`,
    )
}

/** Refuses a release that asks for what this kernel was not built with. Throws `kernel_too_old`. */
export function requireFeatures(manifest: Manifest, host: { readonly btf: boolean }): void {
  if (manifest.requires?.features.includes('btf') && !host.btf)
    throw new DomainError(
      'kernel_too_old',
      `${manifest.name}@${manifest.version} asks for the kernel's BTF, which this one does not show in /sys/kernel/btf/vmlinux`,
    )
}
