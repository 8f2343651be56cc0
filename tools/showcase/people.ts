import type { Answer, RunningRegistry } from '../../test/http/running-registry.ts'
import type { ShowcaseNamespace } from './catalog.ts'
import { keyOf } from './keys.ts'

/** Throws when a call was refused: what is shown must be what the registry takes. */
export function done(answer: Answer, what: string): Answer {
  if (answer.status >= 300) throw new Error(`${what}: ${answer.status} ${answer.bytes.toString()}`)
  return answer
}

/** Tokens by the accounts' names. */
export type People = ReadonlyMap<string, string>

/** Who gives orders to the nodes. */
export const OPERATOR = 'petra'

/** Makes everybody's account, and their namespaces with keys, members and invitations, each by who may do it. */
export async function addPeople(
  registry: RunningRegistry,
  namespaces: readonly ShowcaseNamespace[],
): Promise<People> {
  const names = namespaces.flatMap(({ owner, members, invited }) => [
    ...[owner, ...Object.keys(members), ...Object.keys(invited)],
  ])
  const people = new Map<string, string>()
  for (const name of new Set(names)) people.set(name, await registry.account(name))
  people.set(OPERATOR, await registry.account(OPERATOR, { fleet: 'operator' }))
  const tokenOf = (name: string): string => people.get(name) ?? ''
  for (const { namespace, owner, members, invited } of namespaces) {
    const call = async (method: string, path: string, body: unknown, who = owner): Promise<void> => {
      const options = { token: tokenOf(who), ...(body === undefined ? {} : { body }) }
      done(await registry.call(method, `/api/v1${path}`, options), `${method} ${path}`)
    }
    await call('POST', '/namespaces', { name: namespace })
    const publicKey = keyOf(namespace).publicKey.spki.toString('base64')
    await call('PUT', `/namespaces/${namespace}/keys/${keyOf(namespace).fingerprint}`, { publicKey })
    for (const [name, role] of Object.entries({ ...members, ...invited }))
      await call('PUT', `/namespaces/${namespace}/members/${name}`, { role })
    for (const name of Object.keys(members))
      await call('POST', `/invitations/${namespace}/accept`, undefined, name)
  }
  return people
}
