import { DomainError } from '../domain/errors.ts'
import type { EntryForm } from '../domain/hook.ts'
import { LIMITS } from '../domain/limits.ts'
import { type Body, bytesBelowMain, frameBytes, mapsOf } from './body.ts'
import { functionsOf, GROUP_STACK_BYTES, requireChainLength } from './group.ts'

/** What of an entry decides how it can be laid out. */
export interface LayoutEntry {
  readonly name: string
  readonly body: Body
  /** Bytes of stack of each of its functions, the entry's first. */
  readonly stackBytes: readonly number[]
  /** Instructions that the kernel's verifier walked for it alone. */
  readonly verified: number
  readonly gplCompatible: boolean
  /** Whether the types of all its functions are known. */
  readonly typed: boolean
}

/** An entry's place in a group: its position in the chain, and whether it is called rather than inlined. */
export interface LaidEntry {
  readonly position: number
  readonly called: boolean
}

/** A chain as programs that hand on to each other by tail calls; each is a list of entries. */
export type Layout = readonly (readonly LaidEntry[])[]

/** How much is put into one program, and how. */
interface Style {
  readonly called: 'where needed' | 'where deep' | 'all'
  /** Entries of one program. */
  readonly entries: number
  /** Verified instructions of one program, estimated by their sum. */
  readonly verified: number
}

/** Bytes of stack of all callers from which on a function with a tail call is refused (check_max_stack_depth, kernel/bpf/verifier.c). */
const TAIL_CALLER_STACK_BYTES = 256

/**
 * The layouts to try, the fastest first: one program or few groups with bodies inlined, then with deep bodies called,
 * smaller groups, every body called, every body for itself (its exits rewritten), every body for itself and called.
 * Each is possible by what is known without the kernel; the kernel decides. Throws `chain_too_long`; `chain_stack`,
 * `chain_maps`, `chain_subprograms`, `chain_no_btf`, `chain_module_functions` when there is none.
 */
export function layoutsOf(entries: readonly LayoutEntry[]): Layout[] {
  requireChainLength(entries.length)
  const budget = LIMITS.chain_verified_instructions
  const whole = entries.length
  const styles: Style[] = [
    { called: 'where needed', entries: whole, verified: budget },
    { called: 'where deep', entries: whole, verified: budget },
    { called: 'where needed', entries: whole, verified: budget / 4 },
    { called: 'where needed', entries: Math.max(1, Math.ceil(whole / 8)), verified: budget },
    { called: 'all', entries: whole, verified: budget },
    { called: 'where needed', entries: 1, verified: Number.POSITIVE_INFINITY },
    { called: 'all', entries: 1, verified: Number.POSITIVE_INFINITY },
  ]
  let reason: unknown
  const layouts: Layout[] = []
  for (const style of styles)
    try {
      layouts.push(layOut(entries, style))
    } catch (error) {
      reason ??= error
    }
  if (layouts.length === 0) throw reason
  const few = (layout: Layout): boolean => layout.length <= LIMITS.chain_groups
  const sorted = [...layouts.filter(few), ...layouts.filter((layout) => !few(layout))]
  return sorted.filter(
    (layout, at) => sorted.findIndex((other) => JSON.stringify(other) === JSON.stringify(layout)) === at,
  )
}

/** What is known to keep a layout from being loaded, in the words of the first program that cannot be; the kernel may know more. */
export function layoutObstacle(layout: Layout, entries: readonly LayoutEntry[]): DomainError | undefined {
  const style: Style = { called: 'all', entries: entries.length, verified: Number.POSITIVE_INFINITY }
  return layout.map((group) => obstacle(group, entries, style)).find((found) => found !== undefined)
}

/** Fills one group after the other. */
function layOut(entries: readonly LayoutEntry[], style: Style): Layout {
  const fits = (group: readonly LaidEntry[]): boolean => obstacle(group, entries, style) === undefined
  const all = entries.map((_, position) => ({
    position,
    called: style.called === 'all' || mustBeCalled(entries, position),
  }))
  if (fits(all)) return [all] // what needs no other program may use what the way there would take
  const groups: LaidEntry[][] = []
  for (const laid of all) {
    const last = groups.at(-1)
    const asCalled = { ...laid, called: true }
    const joined = [laid, ...(style.called === 'where deep' ? [asCalled] : [])].find(
      (candidate) => last !== undefined && fits([...last, candidate]),
    )
    if (last !== undefined && joined !== undefined) {
      last.push(joined)
      continue
    }
    const alone = [laid, asCalled].find((candidate) => fits([candidate]))
    if (alone === undefined) throw obstacle([laid], entries, style)
    groups.push([alone])
  }
  if (groups.length > LIMITS.bpf_tail_calls + 1)
    throw new DomainError(
      'chain_too_long',
      `the chain needs ${groups.length} programs, of ${LIMITS.bpf_tail_calls + 1} that tail calls can link`,
    )
  return groups
}

/**
 * Whether an entry is called wherever it is laid beside others: inlined it could leave the chain by itself, or leave
 * behind on the stack what the next ones may not write over.
 */
export function mustBeCalled(entries: readonly LayoutEntry[], position: number): boolean {
  const traits = entries[position]?.body.traits
  if (traits === undefined) return false
  const last = position === entries.length - 1
  return traits.tailCallInMain || traits.legacyLoadInMain || (traits.keepsObjectsInMain && !last)
}

/** What keeps entries from being one program; undefined when nothing is known to. */
function obstacle(
  group: readonly LaidEntry[],
  entries: readonly LayoutEntry[],
  style: Style,
): DomainError | undefined {
  const members = group.flatMap(({ position, called }) => {
    const entry = entries[position]
    return entry === undefined ? [] : [{ ...entry, called }]
  })
  const last = group.some(({ position }) => position === entries.length - 1)
  // its own are the counters and, where the chain goes on, the array of groups
  const maps = new Set(members.flatMap(({ body }) => mapsOf(body))).size + (last ? 1 : 2)
  if (maps > LIMITS.bpf_maps)
    return new DomainError('chain_maps', `${namesOf(members)}: ${maps} maps, of ${LIMITS.bpf_maps} possible`)
  const functions = functionsOf(members)
  if (functions > LIMITS.bpf_subprograms)
    return new DomainError(
      'chain_subprograms',
      `${namesOf(members)}: ${functions} functions, of ${LIMITS.bpf_subprograms} possible`,
    )
  const untyped = members.find((member) => !member.typed && needsTypes(member))
  if (untyped !== undefined)
    return new DomainError('chain_no_btf', `the types of the functions of ${untyped.name} are not known`)
  const stack = stackNeeded(members)
  if (stack > LIMITS.bpf_stack_bytes)
    return new DomainError(
      'chain_stack',
      `${namesOf(members)}: ${stack} bytes of stack with what the chain needs itself, of ${LIMITS.bpf_stack_bytes}`,
    )
  if (members.length > 1 && !alike(members, style))
    return new DomainError('internal', `${namesOf(members)} cannot be one program`)
  return undefined
}

/** The kernel takes callbacks, and functions that end by themselves, only with the types of all functions. */
const needsTypes = ({ body: { traits } }: LayoutEntry): boolean =>
  traits.callbacks ||
  traits.tailCallInMain ||
  traits.tailCallInSubprogram ||
  traits.legacyLoadInMain ||
  traits.legacyLoadInSubprogram

const namesOf = (members: readonly LayoutEntry[]): string => members.map(({ name }) => name).join(', ')

type Member = LayoutEntry & { readonly called: boolean }

/** Bytes of stack of a group's main function. */
const mainBytes = (members: readonly Member[]): number =>
  Math.max(
    0,
    ...members.map(({ called, stackBytes }) => (called ? 0 : Math.ceil((stackBytes[0] ?? 0) / 8) * 8)),
  ) + GROUP_STACK_BYTES

/** Bytes of stack of a group's deepest chain of calls, as the kernel adds them up. */
function stackNeeded(members: readonly Member[]): number {
  const main = mainBytes(members)
  const below = members.map(
    ({ body, called, stackBytes }) =>
      (called ? frameBytes(stackBytes[0] ?? 0) : 0) + bytesBelowMain(body, stackBytes),
  )
  // a frame of its own is not rounded where nothing is called
  return Math.max(main, ...below.map((bytes) => (bytes === 0 ? main : frameBytes(main) + bytes)))
}

/** Whether entries may share a program at all, whatever its size. */
function alike(members: readonly Member[], style: Style): boolean {
  const traits = members.map(({ body }) => body.traits)
  const tailCallBelowMain = members.some(
    ({ called, body }) => body.traits.tailCallInSubprogram || (called && body.traits.tailCallInMain),
  )
  return (
    members.length <= style.entries &&
    members.reduce((sum, { verified }) => sum + verified, 0) <= style.verified &&
    // what is not GPL must not be loaded as if it were, and what is may need to be
    members.every(({ gplCompatible }) => gplCompatible === members[0]?.gplCompatible) &&
    // the kernel wants the types of all functions of a program or of none
    !(members.some(needsTypes) && members.some(({ typed }) => !typed)) &&
    !(tailCallBelowMain && mainBytes(members) >= TAIL_CALLER_STACK_BYTES) &&
    !(
      traits.some(({ readsTstampType }) => readsTstampType) &&
      traits.some(({ readsTstampType, usesTstamp }) => usesTstamp && !readsTstampType)
    )
  )
}

/** The form in which a layout has an entry. */
export function formOf(layout: Layout, position: number): EntryForm {
  const group = layout.find((members) => members.some((member) => member.position === position)) ?? []
  const called = group.find((member) => member.position === position)?.called ?? false
  if (layout.length > 1 && group.length === 1) return called ? 'wrap' : 'exit-rewrite'
  if (called) return 'called'
  return layout.length > 1 ? 'group' : 'fused'
}
