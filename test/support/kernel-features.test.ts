import { expect, test } from 'vitest'
import { mayLack } from './kernel-features.ts'

test.each([
  ['anything where nobody says more', 'tcx', {}, true],
  ['anything with an empty CI', 'tcx', { CI: '' }, true],
  ['nothing in CI', 'tcx', { CI: 'true' }, false],
  ['a module in CI', 'nf_conntrack', { CI: 'true' }, true],
  ['what a virtual machine names', 'tcx', { CI: 'true', HOOKLINE_KERNEL_MAY_LACK: 'kfuncs,tcx' }, true],
  ['nothing else there', 'nf_conntrack', { CI: 'true', HOOKLINE_KERNEL_MAY_LACK: 'kfuncs,tcx' }, false],
  ['nothing where it names nothing', 'tcx', { HOOKLINE_KERNEL_MAY_LACK: '' }, false],
])('a kernel may lack %s', (_, feature, environment, may) => expect(mayLack(feature, environment)).toBe(may))
