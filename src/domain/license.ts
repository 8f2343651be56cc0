import parse from 'spdx-expression-parse'

/** A licence expression that was read. */
type Expression = ReturnType<typeof parse>
type Leaf = Exclude<Expression, { conjunction: unknown }>

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

/**
 * Whether a licence expression can be satisfied by `allowed` licences alone: of OR one side, of AND both. An allowed
 * expression allows each licence in it. Licences are compared as they are written, `+` and exceptions included:
 * GPL-2.0-or-later is not GPL-2.0-only. What cannot be read is never satisfied.
 */
export function satisfiesLicenses(text: string, allowed: readonly string[]): boolean {
  const expression = readLicenseExpression(text)
  const names = new Set(allowed.flatMap((one) => leavesOf(readLicenseExpression(one))))
  const holds = (part: Expression): boolean => {
    if (!('conjunction' in part)) return names.has(leafName(part))
    return part.conjunction === 'or'
      ? holds(part.left) || holds(part.right)
      : holds(part.left) && holds(part.right)
  }
  return expression !== undefined && holds(expression)
}

const leafName = ({ license, plus, exception }: Leaf): string => JSON.stringify([license, plus, exception])

function leavesOf(expression: Expression | undefined): string[] {
  if (expression === undefined) return []
  return 'conjunction' in expression
    ? [...leavesOf(expression.left), ...leavesOf(expression.right)]
    : [leafName(expression)]
}
