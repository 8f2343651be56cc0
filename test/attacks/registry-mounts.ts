import {
  deleteFunction,
  enrol,
  factsOf,
  joinToken,
  keyOffer,
  putFunction,
  removeOrder,
} from '../http/enrolled-node.ts'
import { buildRelease, newKey } from '../http/release-builder.ts'
import type { Answer } from '../http/running-registry.ts'
import {
  altered,
  lengthened,
  reconfigured,
  withFile,
  withInstances,
  withKeyTwice,
  withoutFile,
} from './forgeries.ts'
import { done, exchange, type RegistryScene, revoke } from './registry-scene.ts'

/** Carries an attack out at a registry, and gives its answer. */
export type RegistryMount = (scene: RegistryScene) => Promise<Answer>

// releases
const OBJECT = 'small.bpf.o'
export const tamperedObject: RegistryMount = ({ publish, next }) =>
  publish({ ...next, files: withFile(next, OBJECT, lengthened(next.files.get(OBJECT))) })
export const tamperedManifest: RegistryMount = ({ publish, next }) => {
  const text = String(next.files.get('hookline.yaml')).replace('Test 1.2.0', 'Test 1.2.1')
  return publish({ ...next, files: withFile(next, 'hookline.yaml', Buffer.from(text)) })
}
export const mixAndMatch: RegistryMount = async ({ publish, keys, other }) => {
  const release = await buildRelease('acme/knob', '1.2.0', keys.acme, {
    files: [['NOTES', Buffer.from('of this one')]],
  })
  const notes = other.files.get('NOTES') ?? Buffer.alloc(0)
  return publish({ ...release, files: withFile(release, 'NOTES', notes) })
}
export const unsigned: RegistryMount = ({ publish, next: { bundle: _, ...release } }) => publish(release)
export const wrongSigner: RegistryMount = async ({ publish, keys }) =>
  publish(await buildRelease('acme/knob', '1.2.0', keys.stranger))
export const neighbour: RegistryMount = async ({ publish, keys }) =>
  publish(await buildRelease('acme/knob', '1.2.0', keys.neighbour))
export const revokedKey: RegistryMount = async ({ publish, keys }) =>
  publish(await buildRelease('acme/knob', '1.2.0', keys.expired))
export const revokedRelease: RegistryMount = async ({ publish, keys, revokedFile }) =>
  publish(await buildRelease('acme/knob', '1.2.0', keys.acme, { files: [['NOTES', revokedFile]] }))
export const rollback: RegistryMount = async ({ publish, keys }) =>
  publish(await buildRelease('acme/knob', '1.0.0', keys.acme, { manifest: { summary: 'Another 1.0.0' } }))
export const keyTwice: RegistryMount = ({ publish, next }) =>
  publish({ ...next, bundle: withKeyTwice(next.bundle) })
export const signedFileMissing: RegistryMount = async ({ publish, keys }) => {
  const release = await buildRelease('acme/knob', '1.2.0', keys.acme, {
    files: [['NOTES', Buffer.from('read this first')]],
  })
  return publish({ ...release, files: withoutFile(release, 'NOTES') })
}
export const fileNotSigned: RegistryMount = ({ publish, next }) =>
  publish({ ...next, files: withFile(next, 'NOTES', Buffer.from('slipped in')) })
export const oldUnderNewName: RegistryMount = async ({ publish, keys, next }) => {
  const { bundle } = await buildRelease('acme/knob', '1.0.0', keys.acme)
  return publish({ ...next, bundle })
}

// rights
export const namespaceTakeover: RegistryMount = ({ registry, outsider }) =>
  registry.call('POST', '/api/v1/namespaces', { token: outsider, body: { name: 'acme' } })
export const lookAlike: RegistryMount = ({ registry, outsider }) =>
  registry.call('POST', '/api/v1/namespaces', { token: outsider, body: { name: 'a-crne' } })
export const replayedToken: RegistryMount = ({ registry, usedIdToken }) => exchange(registry, usedIdToken)
export const privateBlob: RegistryMount = async ({ registry, node, outsider, secret }) => {
  const path = `/api/v1/blobs/${secret}`
  const answers = [
    await registry.call('GET', path),
    await registry.call('GET', path, { token: outsider }),
    await node.call('GET', path),
  ]
  return answers.find(({ code }) => code !== 'not_found') ?? registry.call('GET', path)
}

// orders
export const emptiedFunction: RegistryMount = ({ registry, orders: [, order] }) =>
  putFunction(
    registry,
    'edge',
    altered(
      order,
      withInstances(() => []),
    ),
  )
export const alteredFunction: RegistryMount = ({ registry, orders: [, order] }) =>
  putFunction(registry, 'edge', altered(order, reconfigured))
export const reorderedFunction: RegistryMount = ({ registry, orders: [, order] }) =>
  putFunction(
    registry,
    'edge',
    altered(
      order,
      withInstances((instances) => instances.toReversed()),
    ),
  )
export const replayedFunction: RegistryMount = ({ registry, orders: [order] }) =>
  putFunction(registry, 'edge', order)
export const orderOfStranger: RegistryMount = ({ registry, keys }) =>
  deleteFunction(registry, 'edge', removeOrder('edge', 9, keys.stranger))
export const orderOfPublisher: RegistryMount = ({ registry, keys }) =>
  deleteFunction(registry, 'edge', removeOrder('edge', 9, keys.acme))
export const orderOfAnother: RegistryMount = ({ registry, orders: [, order] }) =>
  putFunction(registry, 'core', order)

// revocations
export const forgedRevocation: RegistryMount = ({ registry, keys, revocation }) =>
  revoke(
    registry,
    altered(revocation(keys.acme), (payload) => payload.replace('"1.1.0"', '"1.0.0"')),
  )
export const revocationOfNeighbour: RegistryMount = ({ registry, keys, revocation }) =>
  revoke(registry, revocation(keys.neighbour))

// nodes
export const retiredNodeKey: RegistryMount = ({ turned }) =>
  turned.call('GET', `/api/v1/nodes/${turned.id}/desired`)
/** The key that was offered first came into the wrong hands, so the node offered another. */
export const replayedRotation: RegistryMount = async ({ registry, node }) => {
  const { path, ...request } = keyOffer(node, newKey('ed25519'))
  await done(registry.call('POST', path, request))
  const { path: _, ...another } = keyOffer(node, newKey('ed25519'))
  await done(registry.call('POST', path, another))
  return registry.call('POST', path, request)
}
export const labelsOfOthers: RegistryMount = async ({ registry }) => {
  const token = await joinToken(registry, { labels: { role: 'lab' }, freeLabels: ['site'] })
  return enrol(registry, token, newKey('ed25519'), factsOf('intruder', { role: 'payments' }))
}
export const usedJoinToken: RegistryMount = ({ registry, joinTokens: { used } }) =>
  enrol(registry, used, newKey('ed25519'), factsOf('intruder'))
export const expiredJoinToken: RegistryMount = ({ registry, joinTokens: { expired } }) =>
  enrol(registry, expired, newKey('ed25519'), factsOf('intruder'))
