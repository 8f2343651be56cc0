import type { Permission } from '../../domain/permission.ts'
import type { ElfFunction } from '../functions.ts'
import { cut } from './arithmetic.ts'
import { contextField, readsSocket } from './context.ts'
import type { Run } from './run.ts'
import {
  ANYTHING,
  FRAME_BYTES,
  frameOf,
  join,
  NOTHING,
  NUMBER,
  offsetOf,
  POINTS,
  pointer,
  type Value,
} from './value.ts'

/** One instruction of a function in a run. */
export interface Place {
  readonly run: Run
  readonly of: ElfFunction
  readonly slot: number
  /** The number of the function's stack frame. */
  readonly frame: number
}

/** What is known of a function's own frame at an instruction. */
export interface Own {
  /** Bits of bytes that have certainly been written, the lowest for the lowest byte: others hold whatever was there before. */
  readonly written: bigint
  /** What was certainly stored last, by `offset * 16 + size`; for what is not in here, all that ever was counts. */
  readonly cells: ReadonlyMap<number, Value>
}

/** Says what an instruction needs. */
export const report = ({ run, of, slot }: Place, permission: Permission, what: string): void =>
  run.report?.(permission, of, slot, what)

/** Where a load or store goes: what its register holds, and the offset; undefined where CO-RE decides. */
export interface Access {
  readonly base: Value
  readonly offset: number | undefined
  readonly size: number
}

const points = ({ base }: Access, at: number): boolean => (base.pointers & at) !== 0

/** The stack places that an access meets. */
const placesOf = ({ base, offset }: Access): readonly number[] | undefined =>
  base.places?.map((place) => {
    const start = offsetOf(place)
    if (start === undefined || offset === undefined) return wholeFrame(place)
    const at = start + offset
    return at < -FRAME_BYTES || at > 0 ? wholeFrame(place) : place + offset
  })
const wholeFrame = (place: number): number => frameOf(place) * 1024 + 1023

/** What a load gives. */
export function load(place: Place, access: Access, { written, cells }: Own): Value {
  const { run, frame } = place
  const { base, offset, size } = access
  let value = NOTHING
  if (points(access, POINTS.context)) {
    value = join(value, contextField(run.hook, offset, size))
    if (readsSocket(run.hook, offset)) report(place, 'socket-access', 'reads the socket of a packet')
  }
  if (points(access, POINTS.packet | POINTS.metadata)) value = join(value, NUMBER)
  if (points(access, POINTS.data))
    value = join(value, run.pointersInMaps ? join(NUMBER, pointer(POINTS.other)) : NUMBER)
  const places = placesOf(access)
  const cell = cells.get(cellOf(certainPlace(access, places, frame), size))
  if (cell !== undefined) value = join(value, cell)
  else if (places?.length !== 0) {
    value = join(value, run.stack.load(places, size))
    if (!isWritten(places, frame, size, written)) value = join(value, NUMBER)
  }
  const strange = points(access, POINTS.map | POINTS.outerMap | POINTS.code | POINTS.other)
  if (!strange && (base.pointers !== 0 || places?.length !== 0)) return value
  report(
    place,
    'read-kernel-memory',
    strange ? 'reads an object of the kernel' : 'reads by what is no address',
  )
  return join(value, strange ? join(NUMBER, pointer(POINTS.other)) : ANYTHING)
}

const isWritten = (
  places: readonly number[] | undefined,
  frame: number,
  size: number,
  written: bigint,
): boolean =>
  places?.every((place) => {
    const bytes = bytesAt(place, frame, size)
    return bytes !== undefined && (written & bytes) === bytes
  }) === true

/** Bits of `size` bytes of the frame; undefined when they lie elsewhere. */
function bytesAt(place: number, frame: number, size: number): bigint | undefined {
  const offset = offsetOf(place)
  if (frameOf(place) !== frame || offset === undefined) return undefined
  return ((1n << BigInt(size)) - 1n) << BigInt(FRAME_BYTES + offset)
}

/** The place in the own frame that an access certainly meets; undefined when it may meet others. */
function certainPlace(
  { base }: Access,
  places: readonly number[] | undefined,
  frame: number,
): number | undefined {
  const [only, ...others] = places ?? []
  const certain = base.pointers === 0 && only !== undefined && others.length === 0 && frameOf(only) === frame
  return certain && offsetOf(only) !== undefined ? only : undefined
}

/** Key in {@link Own.cells}; of no cell for no place. */
const cellOf = (place: number | undefined, size: number): number =>
  place === undefined ? 1 : (offsetOf(place) ?? 0) * 16 + size

/** Carries a store out; gives what is known of the own frame then. */
export function store(place: Place, access: Access, value: Value, own: Own): Own {
  const { run, frame } = place
  const { base, offset, size } = access
  if (points(access, POINTS.context))
    report(place, 'change-metadata', `writes the context at ${offset ?? 'an offset that the kernel decides'}`)
  if (points(access, POINTS.packet)) report(place, 'modify-packet', 'writes through a pointer to the packet')
  if (points(access, POINTS.metadata))
    report(place, 'change-metadata', 'writes the metadata before the packet')
  const places = placesOf(access)
  const known = base.pointers !== 0 || places?.length !== 0
  if (!known || points(access, POINTS.map | POINTS.outerMap | POINTS.code | POINTS.other))
    report(place, 'modify-packet', 'writes through a pointer of unknown origin')
  if (places?.length === 0) return own
  if (run.stack.store(places, size, value)) run.news = true
  const only = certainPlace(access, places, frame)
  if (only === undefined) return { ...own, cells: new Map() }
  const start = offsetOf(only) ?? 0
  const apart = (key: number): boolean => {
    const from = Math.floor(key / 16)
    return from >= start + size || from + (key - from * 16) <= start
  }
  const cells = new Map([...own.cells].filter(([key]) => apart(key)))
  cells.set(cellOf(only, size), size === 8 ? value : cut(value, size * 8, false))
  return { written: own.written | (bytesAt(only, frame, size) ?? 0n), cells }
}

/** What was given to somebody else may be written by him: `size` bytes, or all that follow. */
export function expose(place: Place, value: Value, size: number | undefined, who: string): void {
  if ((value.pointers & POINTS.packet) !== 0)
    report(place, 'modify-packet', `${who} may write through a pointer to the packet`)
  if ((value.pointers & POINTS.metadata) !== 0)
    report(place, 'change-metadata', `${who} may write the metadata before the packet`)
  if (value.places?.length !== 0 && place.run.stack.scribble(value.places, size)) place.run.news = true
}
