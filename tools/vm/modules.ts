/**
 * The files of `names` and of all that they need, in the order in which they must be loaded, from the text of a
 * modules.dep (depmod(8): a line each, `path: path ...`, the needed ones first to last from right to left). A name that
 * has no file is built into the kernel and is left out.
 */
export function moduleFiles(dependencies: string, names: readonly string[]): string[] {
  const lines = dependencies.split('\n').map((line) => line.split(/:\s*/))
  const wanted = names.flatMap((name) => {
    const found = lines.find(([path]) => path !== undefined && moduleName(path) === name)
    if (found === undefined) return []
    const [path = '', needs = ''] = found
    return [path, ...needs.split(' ').filter((need) => need !== '')].reverse()
  })
  return [...new Set(wanted)]
}

/** `kernel/fs/fuse/virtiofs.ko.xz` is `virtiofs`. */
const moduleName = (path: string): string => path.replace(/^.*\//, '').replace(/\.ko(\.\w+)?$/, '')
