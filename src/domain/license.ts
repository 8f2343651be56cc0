import parse from 'spdx-expression-parse'

/** A licence expression that was read. */
type Expression = ReturnType<typeof parse>

/** Reads a licence expression (SPDX specification 2.3, annex D); undefined for what is none. */
export function readLicenseExpression(text: string): Expression | undefined {
  try {
    return parse(text)
  } catch {
    return undefined
  }
}

/** Whether a licence asks whoever hands out binaries to offer their source: every choice that it leaves is one of the GPL family. */
export function asksForSource(expression: Expression): boolean {
  if ('conjunction' in expression) {
    const sides = [expression.left, expression.right].map(asksForSource)
    return expression.conjunction === 'or' ? sides.every(Boolean) : sides.some(Boolean)
  }
  return 'license' in expression && /^(A|L)?GPL-/.test(expression.license)
}
