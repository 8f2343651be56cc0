import { z } from 'zod'

/** Which programs: `*` all, `acme/*` those of a namespace, `acme/rate*` those that begin so, `acme/ratelimit` one. */
export const NamePattern = z
  .string()
  .regex(
    /^(\*|[a-z][a-z0-9-]{0,37}[a-z0-9]\/([a-z][a-z0-9-]{0,38}\*?|\*))$/,
    '*, namespace/*, namespace/begin* or namespace/name',
  )
export type NamePattern = z.infer<typeof NamePattern>

/** Whether every program that `inner` names is named by `outer`. */
export const coversPattern = (outer: NamePattern, inner: NamePattern): boolean =>
  outer.endsWith('*') ? inner.startsWith(outer.slice(0, -1)) : outer === inner

/** All programs of a namespace. */
export const wholeNamespace = (namespace: string): NamePattern => `${namespace}/*`
