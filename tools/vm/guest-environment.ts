import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { KernelSeries } from './kernel-image.ts'

/** The checkout, on the host and in the guest alike. */
export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')

/**
 * What a kernel may lack of what tests ask it for, by their names for it (test/support/kernel-features.ts). A test that
 * misses anything else fails. It never decides what is skipped: a test that finds what it needs runs.
 */
const MAY_LACK: Readonly<Record<KernelSeries, readonly string[]>> = {
  '6.1': [
    ...['tcx', 'kernel_context', 'dynptr', 'iterator', 'tc_dynptr', 'tc_kernel'],
    ...['throws', 'tree', 'device_bound'],
  ],
  '6.12': [],
}

/**
 * What commands in the guest find in their environment: nothing of the host's, so that a run there is the same from
 * anywhere. With CI set, a kernel test that cannot run fails instead of being skipped.
 */
export const guestEnvironment = (series: KernelSeries): Record<string, string> => ({
  PATH: `${join(REPOSITORY, 'node_modules/.bin')}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
  HOME: '/root',
  LANG: 'C.UTF-8',
  CI: 'true',
  HOOKLINE_EMULATED: 'true',
  HOOKLINE_KERNEL_MAY_LACK: MAY_LACK[series].join(','),
})
