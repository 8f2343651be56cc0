/** A file of an archive. Its folders are made by themselves. */
export interface ArchiveFile {
  /** Relative to the root, such as `bin/busybox`. */
  readonly path: string
  readonly content: Buffer | string
  /** Default false: 0644. */
  readonly executable?: boolean
}

const FOLDER = 0o040755
const FILE = 0o100644
const EXECUTABLE = 0o100755
const TRAILER = 'TRAILER!!!'

/**
 * Packs files into a cpio archive in the "newc" form, which the kernel unpacks as its first root file system
 * (Documentation/driver-api/early-userspace/buffer-format.rst). `folders` are made empty. Equal files, equal bytes.
 */
export function packCpio(files: readonly ArchiveFile[], folders: readonly string[] = []): Buffer {
  const parents = files.flatMap(({ path }) => ancestors(path))
  const all = [...new Set([...parents, ...folders.flatMap((path) => [...ancestors(path), path])])]
  const entries = [
    ...all.map((path) => ({ path, mode: FOLDER, content: Buffer.alloc(0) })),
    ...files.map(({ path, content, executable }) => ({
      path,
      mode: executable === true ? EXECUTABLE : FILE,
      content: Buffer.from(content),
    })),
    { path: TRAILER, mode: 0, content: Buffer.alloc(0) },
  ]
  return Buffer.concat(
    entries.flatMap(({ path, mode, content }, at) => [
      padded(Buffer.from(`${header(at + 1, mode, content.length, path)}${path}\0`, 'latin1')),
      padded(content),
    ]),
  )
}

/** `a/b/c` gives `a` and `a/b`. */
const ancestors = (path: string): string[] =>
  [...path.matchAll(/\//g)].map(({ index }) => path.slice(0, index)).filter((parent) => parent !== '')

/** Magic and thirteen numbers of eight hexadecimal digits; only number, mode, links and lengths are not zero. */
function header(inode: number, mode: number, size: number, path: string): string {
  const links = 1
  const nameLength = path.length + 1
  const numbers = [inode, mode, 0, 0, links, 0, size, 0, 0, 0, 0, nameLength, 0]
  return `070701${numbers.map((number) => number.toString(16).padStart(8, '0')).join('')}`
}

/** Fills up to the next multiple of four bytes. */
const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)])
