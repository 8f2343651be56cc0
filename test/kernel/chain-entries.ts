import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { entriesOf } from '../../src/agent/instance.ts'
import { FunctionSpec } from '../../src/domain/function.ts'
import { DEFAULT_PROCEED, type Hook, type Verdict } from '../../src/domain/hook.ts'
import { type ConfigValue, Manifest } from '../../src/domain/manifest.ts'
import { readObject } from '../../src/elf/bpf-object.ts'
import type { EntryImage } from '../../src/ports/chain-kernel.ts'
import { type CompileOptions, compileBpf } from '../../tools/compile-bpf.ts'

const SOURCES = fileURLToPath(new URL('sources', import.meta.url))
const OBJECT = 'test.bpf.o'

/** Compiles a program of test/kernel/sources. */
export const compileSource = (name: string, options: CompileOptions = {}): Buffer =>
  compileBpf(join(SOURCES, `${name}.bpf.c`), options)

/** How an entry is used in a chain. */
export interface EntryUse {
  /** Names the owner of its state maps; the same name shares them. */
  readonly instance?: string
  /** Default: `xdp`. */
  readonly hook?: Hook
  /** Default: what the hook's entries proceed on when nothing is said. */
  readonly proceed?: readonly Verdict[]
  readonly onMissing?: 'pass' | 'drop'
  /** The object's variables by name; each is one of type u32. */
  readonly variables?: Readonly<Record<string, ConfigValue>>
}

/** An entry as the agent would hand it over: the manifest is made up, all else is read from the object. */
export function entryImage(bytes: Buffer, entry: string, use: EntryUse = {}): EntryImage {
  const { instance = 'one', hook = 'xdp', proceed = DEFAULT_PROCEED[hook], onMissing, variables = {} } = use
  const spec = FunctionSpec.parse({
    kind: 'function',
    name: 'test',
    selector: {},
    interfaces: ['eth1'],
    ...(onMissing === undefined ? {} : { onMissing }),
    instances: [{ use: 'acme/test@1.0.0', name: instance, config: variables }],
  })
  const manifest = Manifest.parse({
    name: 'acme/test',
    version: '1.0.0',
    summary: 'A test',
    license: 'GPL-2.0-only',
    programs: [{ object: OBJECT, entry, hook, proceed: [...proceed] }],
    config: Object.keys(variables).map((name) => ({ name, variable: name, type: 'u32', default: 0 })),
  })
  const [instanceOf] = spec.instances
  if (instanceOf === undefined) throw new Error('the function has no instance')
  const [ready] = entriesOf(spec, instanceOf, {
    ref: 'acme/test@1.0.0',
    manifest,
    signers: [`sha256:${'0'.repeat(64)}`],
    files: new Map([[OBJECT, bytes]]),
    objects: new Map([[OBJECT, readObject(bytes)]]),
  })
  if (ready === undefined) throw new Error('the release has no entry')
  return ready.image
}
