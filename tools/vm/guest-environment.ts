import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The checkout, on the host and in the guest alike. */
export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')

/**
 * What commands in the guest find in their environment: nothing of the host's, so that a run there is the same from
 * anywhere. With CI set, a kernel test that cannot run fails instead of being skipped.
 */
export const guestEnvironment = (): Record<string, string> => ({
  PATH: `${join(REPOSITORY, 'node_modules/.bin')}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
  HOME: '/root',
  LANG: 'C.UTF-8',
  CI: 'true',
})
