import { entriesOf, type ReadyEntry } from '../../src/agent/instance.ts'
import { FunctionSpec } from '../../src/domain/function.ts'
import type { Hook, Verdict } from '../../src/domain/hook.ts'
import { type ConfigValue, Manifest } from '../../src/domain/manifest.ts'
import { readObject } from '../../src/elf/bpf-object.ts'

const OBJECT = 'program.bpf.o'
const PROGRAM = 'lab/program'

/** An instance of a release of one entry, without registry and signatures. */
export interface EntryUse {
  readonly bytes: Buffer
  readonly entry: string
  readonly hook: Hook
  /** Owns the state maps: the same name shares them. */
  readonly instance: string
  /** Of the release. Default 1.0.0. */
  readonly version?: string
  /** Verdicts after which the chain goes on. Default: those of the hook. */
  readonly proceed?: readonly Verdict[]
  /** The object's variables by name; each is one of type u32. */
  readonly variables?: Readonly<Record<string, ConfigValue>>
}

/** An entry as the agent makes it of a verified release: the manifest is made up, all else is read from the object. */
export function readyEntry(use: EntryUse): ReadyEntry {
  const { bytes, entry, hook, instance, version = '1.0.0', proceed, variables = {} } = use
  const spec = FunctionSpec.parse({
    ...{ kind: 'function', name: 'lab', selector: {}, interfaces: ['eth*'] },
    instances: [{ use: `${PROGRAM}@${version}`, name: instance, config: variables }],
  })
  const manifest = Manifest.parse({
    ...{ name: PROGRAM, version, summary: 'A program of a lab', license: 'GPL-2.0-only' },
    programs: [{ object: OBJECT, entry, hook, ...(proceed === undefined ? {} : { proceed }) }],
    config: Object.keys(variables).map((name) => ({ name, variable: name, type: 'u32', default: 0 })),
  })
  const [instanceOf] = spec.instances
  const [ready] =
    instanceOf === undefined
      ? []
      : entriesOf(spec, instanceOf, {
          ref: `${PROGRAM}@${version}`,
          manifest,
          signers: [`sha256:${'0'.repeat(64)}`],
          files: new Map([[OBJECT, bytes]]),
          objects: new Map([[OBJECT, readObject(bytes)]]),
        })
  if (ready === undefined) throw new Error('the release has no entry')
  return ready
}
