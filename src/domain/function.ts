import { z } from 'zod'
import { Verdict } from './hook.ts'
import { LIMITS } from './limits.ts'
import { ListItems } from './list-config.ts'
import { ConfigValue, Identifier } from './manifest.ts'
import { InstanceName, Name, parseRef, Use } from './names.ts'
import { parseWith, parseYaml } from './yaml.ts'

/** A label's value: it is shown, and databases refuse to look into JSON with NULs or broken surrogates. */
const LabelValue = z
  .string()
  .max(63)
  .regex(/^[^\p{C}]*$/u, 'printable characters')

/** What a label says the value of. */
export const LabelKey = z.string().regex(/^[a-z][a-z0-9./-]{0,62}$/, 'the key of a label, such as role')

/** Labels of a node, and what a selector asks of them. */
export const Labels = z
  .record(LabelKey, LabelValue)
  .refine((labels) => Object.keys(labels).length <= LIMITS.labels, `at most ${LIMITS.labels} labels`)
export type Labels = z.infer<typeof Labels>

/** An interface name, or a pattern in which `*` stands for any characters (IFNAMSIZ is 16 with the NUL). */
const InterfacePattern = z
  .string()
  .regex(/^[A-Za-z0-9_.:@*-]{1,15}$/, 'an interface name or pattern such as eth*')

const Instance = z.strictObject({
  use: Use,
  name: InstanceName.optional(),
  config: z.record(z.string(), z.union([ConfigValue, ListItems])).default({}),
  proceed: z.record(Identifier, z.array(Verdict).max(8)).default({}),
  /** Whether it may be younger than nodes ask for by minAge; nothing else is skipped. */
  emergency: z.boolean().optional(),
})

/** A named order to nodes: which releases run, configured how, in which order, on which interfaces of which nodes. */
export const FunctionSpec = z
  .strictObject({
    kind: z.literal('function'),
    name: Name,
    priority: z.int().min(0).max(65_535).default(100),
    selector: Labels,
    interfaces: z.array(InterfacePattern).min(1).max(LIMITS.function_interfaces),
    instances: z.array(Instance).min(1).max(LIMITS.function_instances),
    /** Whether XDP may run in the stack where a driver has none of its own: slower, and behind the packet's copy. */
    allowGeneric: z.boolean().default(false),
    /** What becomes of an instance whose release was revoked: see docs/revocation.md. */
    onRevoke: z.enum(['previous', 'detach', 'drop']).default('previous'),
    onMissing: z.enum(['pass', 'drop']).default('pass'),
  })
  .superRefine((spec, context) => {
    const names = spec.instances.map(instanceName)
    const twice = names.find((name, at) => names.indexOf(name) !== at)
    if (twice !== undefined)
      context.addIssue({
        code: 'custom',
        path: ['instances'],
        message: `two instances are named "${twice}": set \`name\``,
      })
  })
export type FunctionSpec = z.infer<typeof FunctionSpec>
export type Instance = FunctionSpec['instances'][number]

/** An instance's name: its own, or the last part of its program's. */
export const instanceName = ({ name, use }: { name?: string | undefined; use: string }): string =>
  name ?? parseRef(use).program.split('/')[1] ?? ''

/** What an operator signs: a revision of a function, or its end. */
export const Order = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('apply'),
    revision: z.int().min(1).max(LIMITS.revision_most),
    function: FunctionSpec,
  }),
  z.strictObject({
    kind: z.literal('remove'),
    revision: z.int().min(1).max(LIMITS.revision_most),
    name: Name,
  }),
])
export type Order = z.infer<typeof Order>

/** The function that an order is about. */
export const orderName = (order: Order): string => (order.kind === 'apply' ? order.function.name : order.name)

/** Reads a function file. Throws `invalid_function` or `too_large`. */
export const parseFunction = (text: string): FunctionSpec =>
  parseYaml(text, FunctionSpec, { code: 'invalid_function', what: 'function', maxBytes: LIMITS.order_bytes })

/** Reads a signed order's document. Throws `order_invalid`. */
export const parseOrder = (value: unknown): Order => parseWith(Order, value, 'order_invalid', 'order')

/** Whether a node with `labels` has every label that `selector` names; an empty selector means every node. */
export const selects = (selector: Labels, labels: Labels): boolean =>
  Object.entries(selector).every(([key, value]) => labels[key] === value)

/** Whether an interface name fits a pattern. */
export function matchesInterface(pattern: string, name: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.\\+?^${}()|[\]]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`).test(name)
}
