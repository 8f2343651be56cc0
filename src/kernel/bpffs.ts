import { mkdirSync, readdirSync, rmdirSync, statfsSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { DomainError } from '../domain/errors.ts'
import { attr, cString } from './bpf-attr.ts'
import { Fd, type OpenFile } from './fd.ts'
import { bpf, KernelError, mountBpffs } from './libc.ts'

/** enum bpf_cmd, linux/bpf.h. */
const [BPF_OBJ_PIN, BPF_OBJ_GET] = [6, 7] as const
/** BPF_FS_MAGIC, linux/magic.h. */
const BPF_FS_MAGIC = 0xcafe4a11
const ENOENT = 2

/** Makes sure that a BPF file system is mounted on `path`. Throws `needs_root`, KernelError. */
export function ensureBpffs(path: string): void {
  if (isBpffs(path)) return
  if (process.getuid?.() !== 0)
    throw new DomainError('needs_root', `no BPF file system is mounted on ${path}`)
  mkdirSync(path, { recursive: true })
  mountBpffs(path)
}

/** Whether a BPF file system is mounted on `path`. */
export function isBpffs(path: string): boolean {
  try {
    return statfsSync(path).type === BPF_FS_MAGIC
  } catch {
    return false // not there
  }
}

/** A name as bpffs takes it: it refuses dots (kernel/bpf/inode.c), so each becomes a plus sign, which no name of ours has. */
export const pinName = (name: string): string => name.replaceAll('.', '+')

/** Pins a BPF object: it lives on without this process until the pin is removed. Throws KernelError. */
export function pin(fd: OpenFile, path: string): void {
  const text = cString(path)
  const result = bpf(
    BPF_OBJ_PIN,
    attr(20, [
      [0, 'pointer', text],
      [8, 'u32', fd.number],
    ]),
  )
  if (result < 0) throw new KernelError(`pin ${path}`, -result)
}

/** Opens a pinned object, or gives undefined when there is none. Throws KernelError. */
export function openPin(path: string): Fd | undefined {
  const text = cString(path)
  const result = bpf(BPF_OBJ_GET, attr(20, [[0, 'pointer', text]]))
  if (result === -ENOENT) return undefined
  if (result < 0) throw new KernelError(`open ${path}`, -result)
  return new Fd(result)
}

/** Opens a pinned object that must be there. Throws KernelError. */
export function requirePin(path: string): Fd {
  const fd = openPin(path)
  if (fd === undefined) throw new KernelError(`open ${path}`, ENOENT)
  return fd
}

/** Names in a folder; none when it is not there. */
export function listNames(folder: string): string[] {
  try {
    return readdirSync(folder).sort()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

/** Removes a pin; one that is not there is no error. */
export function unpin(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
}

/** Removes a folder of pins with all below it. bpffs gives no sizes, but unlink and rmdir work as usual. */
export function removeTree(folder: string): void {
  let entries: { name: string; isDirectory(): boolean }[]
  try {
    entries = readdirSync(folder, { withFileTypes: true })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return
    throw error
  }
  for (const entry of entries)
    if (entry.isDirectory()) removeTree(join(folder, entry.name))
    else unpin(join(folder, entry.name))
  rmdirSync(folder)
}

/** Removes a folder when nothing is in it (any more): another agent may be using the common one. */
export function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder)
  } catch (error) {
    if (
      !(error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTEMPTY'))
    )
      throw error
  }
}
