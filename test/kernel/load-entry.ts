import type { Hook } from '../../src/domain/hook.ts'
import type { Fd } from '../../src/kernel/fd.ts'
import { adopt, type LoadedOriginal, loadWithMapIds } from '../../src/kernel/loader.ts'
import { type OriginalRequest, openOriginal } from '../../src/kernel/original.ts'

/** Loads an entry as a chain does before it is made part of it; an XDP program on new maps unless told. */
export function loadEntry(
  bytes: Buffer,
  entry: string,
  request: Partial<Omit<OriginalRequest, 'bytes' | 'entry'>> = {},
): LoadedOriginal {
  const open = openOriginal({
    ...{ bytes, entry, hook: 'xdp', arrayPrograms: [], kernelFunctions: [], variables: [], reuse: new Map() },
    ...request,
  })
  try {
    return adopt(open)
  } finally {
    open.close()
  }
}

/** A program of an entry's own instructions and no other. */
export const loadAlone = (
  { code }: LoadedOriginal,
  { license = 'GPL', hook = 'xdp' }: { license?: string; hook?: Hook } = {},
): Fd => loadWithMapIds({ name: 'test', hook, code, license, flags: 0 })
