import type { TrustedPublisherRequest } from '../domain/trusted-publisher.ts'
import type { Context, Outcome } from './io.ts'
import { connectWithToken, type RegistryFlags } from './settings.ts'
import { renderTable } from './table.ts'

/** Lets a pipeline publish. Throws `publisher_exists`, `too_many`. */
export async function addTrustedPublisher(
  {
    url,
    token,
    tokenFile,
    target,
    ...request
  }: RegistryFlags & Omit<TrustedPublisherRequest, 'program'> & { target: string },
  { io }: Context,
): Promise<Outcome> {
  const [namespace = '', program = ''] = target.split('/')
  const client = await connectWithToken(io, { url, token, tokenFile })
  const view = await client.addTrustedPublisher(namespace, { ...request, program })
  return {
    json: view,
    text: `${view.provider} ${view.repository}, ${view.workflow}, may publish ${view.program}; its id is ${view.id}`,
  }
}

/** Lists the pipelines that may publish in a namespace. */
export async function listTrustedPublishers(
  { namespace, ...flags }: RegistryFlags & { namespace: string },
  { io }: Context,
): Promise<Outcome> {
  const publishers = await (await connectWithToken(io, flags)).trustedPublishers(namespace)
  const rows = publishers.map((one) => [
    ...[one.program, one.provider, one.repository, one.workflow, one.environment ?? 'any', one.ref ?? 'any'],
    ...[one.pinned ? 'yes' : 'not yet', one.id],
  ])
  const head = ['program', 'provider', 'repository', 'workflow', 'environment', 'ref', 'used', 'id']
  return { json: { publishers }, text: renderTable(io, head, rows) }
}

/** Ends a pipeline's right to publish. Throws `not_found`. */
export async function removeTrustedPublisher(
  { namespace, id, ...flags }: RegistryFlags & { namespace: string; id: string },
  { io }: Context,
): Promise<Outcome> {
  await (await connectWithToken(io, flags)).removeTrustedPublisher(namespace, id)
  return { json: { id }, text: `trusted publisher ${id} is removed, and its tokens with it` }
}
