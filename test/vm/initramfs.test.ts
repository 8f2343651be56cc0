import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { commandScript } from '../../tools/vm/initramfs.ts'
import { moduleFiles } from '../../tools/vm/modules.ts'

const DEPENDENCIES = `kernel/fs/fuse/fuse.ko.xz:
kernel/fs/fuse/virtiofs.ko.xz: kernel/drivers/virtio/virtio.ko.xz kernel/drivers/virtio/ring.ko.xz kernel/fs/fuse/fuse.ko.xz
kernel/drivers/virtio/virtio.ko.xz: kernel/drivers/virtio/ring.ko.xz
kernel/drivers/virtio/ring.ko.xz:
`

test('modules come behind what they need, each once', () =>
  expect(moduleFiles(DEPENDENCIES, ['virtio', 'virtiofs'])).toEqual([
    'kernel/drivers/virtio/ring.ko.xz',
    'kernel/drivers/virtio/virtio.ko.xz',
    'kernel/fs/fuse/fuse.ko.xz',
    'kernel/fs/fuse/virtiofs.ko.xz',
  ]))

test('a module that is built in has no file', () =>
  expect(moduleFiles(DEPENDENCIES, ['overlay', 'fuse'])).toEqual(['kernel/fs/fuse/fuse.ko.xz']))

/** Runs the script of a command as the guest does. */
const run = (command: readonly string[], env: Record<string, string> = {}): string =>
  execFileSync('sh', { input: commandScript({ command, cwd: '/usr', env }), encoding: 'utf8' })

test('a command gets its arguments as they are, its folder and its environment alone', () => {
  const odd = ["it's", '$HOME', 'a  b', '"', '*', '']
  expect(run(['/usr/bin/printf', '[%s]', ...odd])).toBe(odd.map((text) => `[${text}]`).join(''))
  expect(run(['/bin/pwd'])).toBe('/usr\n')
  expect(run(['/usr/bin/env'], { A: "x 'y' $Z" })).toBe("A=x 'y' $Z\n")
})
