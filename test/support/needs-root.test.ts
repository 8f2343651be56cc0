import { expect, test } from 'vitest'
import { whyNoKernel } from './needs-root.ts'

const able = { uid: 0, status: 'Name:\tnode\nCapEff:\t000001ffffffffff\n', btf: true, bpffs: true }

test('root with all capabilities may use the kernel', () => expect(whyNoKernel(able)).toBeUndefined())
test.each([
  ['another user', { uid: 1000 }, /needs root, runs as uid 1000/],
  ['root without capabilities', { status: 'CapEff:\t0000000000000000\n' }, /needs CAP_NET_ADMIN/],
  [
    'root of a container with only CAP_NET_ADMIN',
    { status: 'CapEff:\t00000000a80435fb\n' },
    /needs CAP_SYS_ADMIN/,
  ],
  ['a status without capabilities', { status: '' }, /needs CAP_NET_ADMIN/],
  ['a kernel without BTF', { btf: false }, /vmlinux is missing/],
  ['a kernel without BPF', { bpffs: false }, /bpf is missing/],
])('%s may not, and the reason is named', (_, differs, reason) =>
  expect(whyNoKernel({ ...able, ...differs })).toMatch(reason),
)
