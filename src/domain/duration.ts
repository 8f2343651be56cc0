import { z } from 'zod'

const UNITS = { s: 1, m: 60, h: 3600, d: 86_400 } as const

/** A span of time as people write it: `30s`, `15m`, `24h`, `7d`. */
export const Duration = z.string().regex(/^\d{1,9}[smhd]$/, 'a number with s, m, h or d behind it')

/** A {@link Duration} in seconds. */
export const durationSeconds = (text: string): number =>
  Number(text.slice(0, -1)) * UNITS[text.slice(-1) as keyof typeof UNITS]
