import type { TestContext } from 'vitest'
import { tcxSupported } from '../../src/kernel/tcx-hook.ts'

/** What no kernel need have: a module, or leave to replace functions of programs, is a matter of how the machine was set up. */
const OPTIONAL = ['nf_conntrack', 'extensions']

/**
 * Whether a kernel may lack a feature. In a virtual machine tools/vm says so (HOOKLINE_KERNEL_MAY_LACK, names with commas
 * between); in CI a kernel has all but what is optional; elsewhere it may lack anything.
 */
export function mayLack(
  feature: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): boolean {
  const { HOOKLINE_KERNEL_MAY_LACK: named, CI: ci } = environment
  if (named !== undefined) return named.split(',').includes(feature)
  return ci === undefined || ci === '' || OPTIONAL.includes(feature)
}

/**
 * Ends a test as skipped when the kernel was asked for what it needs and does not have it: `why` is then the reason, which
 * the report shows. Throws where the kernel should have it.
 */
export function needs(feature: string, why: string | undefined, { skip }: Pick<TestContext, 'skip'>): void {
  if (why === undefined) return
  requireMayLack(feature, why)
  skip(why)
}

/** Throws when the kernel should have the feature that it lacks, with the reason that it gave. */
export function requireMayLack(feature: string, why: string): void {
  if (!mayLack(feature)) throw new Error(`this kernel should have ${feature}, but: ${why}`)
}

/** Why no program can be attached by TCX, undefined where it can. */
export const whyNoTcx = (): string | undefined => (tcxSupported() ? undefined : 'the kernel has no TCX')
