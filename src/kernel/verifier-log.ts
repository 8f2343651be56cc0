/** Lines that only count or repeat: statistics, and the walk's register states. */
const NOISE =
  /^(processed \d+ insns|verification time|stack depth|func#\d+|\d+: R\d|R\d+[_=]|from \d+ to \d+|-- BEGIN|-- END|;|live regs|\s*$)/
const WALK = /^\d+: \([0-9a-f]{2}\)/
const MOST = 3

/**
 * The part of a verifier's log that says why: its last lines of plain text, together with the source line and the
 * instruction that they speak of. The reason stands at the end of the log, before the statistics.
 */
export function usefulLines(log: string): string {
  const lines = log.trimEnd().split('\n')
  const reasons: string[] = []
  let at = lines.length - 1
  for (; at >= 0 && reasons.length < MOST; at--) {
    const line = (lines[at] ?? '').trim()
    if (NOISE.test(line)) {
      if (reasons.length > 0) break
      continue
    }
    if (WALK.test(line)) break
    reasons.unshift(line)
  }
  const instruction = (lines[at] ?? '').trim()
  const source = lines.slice(0, at + 1).findLast((line) => line.startsWith(';'))
  return [
    ...reasons,
    ...(WALK.test(instruction) ? [`at ${instruction}`] : []),
    ...(source ? [source.trim()] : []),
  ].join(' | ')
}
