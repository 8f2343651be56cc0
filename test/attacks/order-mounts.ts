import { signOrder } from '../../src/attest/order.ts'
import { FunctionSpec } from '../../src/domain/function.ts'
import type { Desired } from '../../src/domain/node.ts'
import { altered, reconfigured, withInstances } from './forgeries.ts'
import type { NodeLie, NodeMount } from './node-mounts.ts'
import type { NodeScene } from './node-scene.ts'

/** A desired state without anything. */
export const NOTHING: Desired = { functions: [], resolutions: [], releases: [], keys: [], revocations: [] }

/** The node is shown another envelope, under the same name or another. */
const showingOrder = (change: (envelope: string) => string, name = 'edge'): NodeLie => ({
  at: 'plain',
  seenIn: name,
  desired: (honest) => ({
    ...honest,
    functions: honest.functions.map((order) => ({ ...order, name, envelope: change(order.envelope) })),
  }),
})
const withKey = (lie: NodeLie, key: string): NodeLie => ({
  ...lie,
  desired: (honest: Desired) => {
    const told = lie.desired?.(honest) ?? honest
    return { ...told, keys: [...told.keys, key] }
  },
})

export const emptiedFunction: NodeMount = () =>
  showingOrder((envelope) =>
    altered(
      envelope,
      withInstances(() => []),
    ),
  )
/** As an honest registry answers a node for which it never had an order. */
export const emptiedList: NodeMount = () => ({ at: 'plain', desired: () => NOTHING })
export const alteredFunction: NodeMount = () => showingOrder((envelope) => altered(envelope, reconfigured))
export const reorderedFunction: NodeMount = () =>
  showingOrder((envelope) =>
    altered(
      envelope,
      withInstances((instances) => instances.toReversed()),
    ),
  )
export const replayedFunction: NodeMount = ({ earlier }) => showingOrder(() => earlier)
export const functionForOthers: NodeMount = ({ fleet }) => {
  const order = { kind: 'apply', revision: 1, function: dropping('core', { role: 'core' }) } as const
  const envelope = signOrder(order, fleet.operator.key)
  return {
    at: 'plain',
    seenIn: 'core',
    desired: (honest) => ({
      ...honest,
      functions: [...honest.functions, { name: 'core', revision: 1, envelope }],
    }),
  }
}
export const orderOfStranger: NodeMount = ({ keys: { stranger } }) => {
  const { key } = stranger
  const envelope = signOrder({ kind: 'apply', revision: 9, function: dropping('edge', {}) }, key)
  return withKey(
    showingOrder(() => envelope),
    key.publicKey.spki.toString('base64'),
  )
}
export const orderOfPublisher: NodeMount = ({ fleet }: NodeScene) => {
  const envelope = signOrder({ kind: 'remove', revision: 9, name: 'edge' }, fleet.publisher.key)
  return showingOrder(() => envelope)
}
export const orderOfAnother: NodeMount = () => showingOrder((envelope) => envelope, 'core')

const dropping = (name: string, selector: Record<string, string>): FunctionSpec =>
  FunctionSpec.parse({
    ...{ kind: 'function', name, selector, interfaces: ['eth0'] },
    instances: [{ use: 'acme/knob@^1.0', config: { drop: 1 } }],
  })
