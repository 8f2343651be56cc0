import type { Io } from './io.ts'
import { bytesText } from './terminal.ts'

const CELLS = 24
/** Least time between two pictures, so that a fast transfer does not spend itself on them. */
const PAUSE_MS = 80

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
    const cells = Math.round(share * CELLS)
    const bar = `${'█'.repeat(cells)}${'░'.repeat(CELLS - cells)}`
    io.note(`\r${label} ${bar} ${Math.floor(share * 100)}% of ${bytesText(total)}`)
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
