import type { Context, Io } from './io.ts'
import { bytesText } from './terminal.ts'

const CELLS = 24
/** Least time between two pictures, so that a fast transfer does not spend itself on them. */
const PAUSE_MS = 80

/** Least time between two lines, where there is no terminal. */
const LINE_PAUSE_MS = 2000

function barOf(share: number): string {
  const cells = Math.round(share * CELLS)
  return `${'█'.repeat(cells)}${'░'.repeat(CELLS - cells)}`
}

/** Told of bytes as they pass. */
export interface TransferProgress {
  /** `bytes` more have passed. */
  add(bytes: number): void
  /** All is done, or given up: the line is ended. */
  end(): void
}

/** A bar for `total` bytes, redrawn on one line of a terminal; nothing where there is none, or for what is small. */
export function progressBar(
  io: Pick<Io, 'columns' | 'note'>,
  label: string,
  total: number,
): TransferProgress {
  if (io.columns === undefined || total < 1 << 18) return { add: () => {}, end: () => {} }
  let [done, drawn] = [0, 0]
  const draw = (): void => {
    const share = Math.min(1, done / total)
    io.note(`\r${label} ${barOf(share)} ${Math.floor(share * 100)}% of ${bytesText(total)}`)
  }
  draw()
  return {
    add: (bytes) => {
      done += bytes
      const now = Date.now()
      if (now - drawn < PAUSE_MS && done < total) return
      drawn = now
      draw()
    },
    end: () => io.note('\n'),
  }
}

/** Told how far something is that is counted; without a total it is only counted. */
interface CountingBar {
  readonly at: (done: number, total: number | undefined) => void
  /** It is done: the line is ended. */
  readonly end: () => void
}

/**
 * A count, redrawn on one line of a terminal; with `always`, lines where there is none. Silent with --json unless it is asked for.
 */
export function countingBar(
  { io, json }: Pick<Context, 'io' | 'json'>,
  label: string,
  always: boolean,
): CountingBar {
  const onTerminal = io.columns !== undefined
  if (!always && (json || !onTerminal)) return { at: () => {}, end: () => {} }
  let drawn = 0
  let last = ''
  const draw = (): void => io.note(onTerminal ? `\r${last}` : `${last}\n`)
  return {
    at: (done, total) => {
      last = total === undefined ? `${label} ${done}` : `${label} ${barOf(done / total)} ${done} of ${total}`
      const now = Date.now()
      if (now - drawn < (onTerminal ? PAUSE_MS : LINE_PAUSE_MS)) return
      drawn = now
      draw()
    },
    end: () => {
      if (last === '') return
      draw()
      if (onTerminal) io.note('\n')
    },
  }
}
