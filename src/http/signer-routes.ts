import { z } from 'zod'
import { Digest, Name } from '../domain/names.ts'
import { IdentityList, IdentityView, KeyList, KeyView, NamespaceKeyUpload } from '../domain/namespace.ts'
import { IdentityRule } from '../domain/signer.ts'
import { addNamespaceKey, keyView } from '../registry/keys.ts'
import { requireSeen } from '../registry/namespaces.ts'
import { type App, described, empty } from './route.ts'
import type { Services } from './services.ts'

const NamespacePath = z.strictObject({ ns: Name })
const KeyPath = z.strictObject({ ns: Name, fingerprint: Digest })
const IdentityPath = z.strictObject({ ns: Name, id: z.uuid() })
const tags = ['signers']

/** Who signs for a namespace: keys and identities. */
export function signerRoutes(app: App, { namespaces }: Services): void {
  app.get(
    '/api/v1/namespaces/:ns/keys',
    described(
      'anyone',
      {
        operationId: 'listNamespaceKeys',
        tags,
        summary: 'Keys that sign for a namespace',
        errors: ['not_found'],
      },
      { params: NamespacePath, response: { 200: KeyList } },
    ),
    async ({ params: { ns }, actor }) => {
      await requireSeen(namespaces, ns, actor)
      return { keys: (await namespaces.keys(ns)).map(keyView) }
    },
  )
  app.put(
    '/api/v1/namespaces/:ns/keys/:fingerprint',
    described(
      'namespace-manage',
      {
        operationId: 'putNamespaceKey',
        tags,
        summary: 'Let a key sign for a namespace',
        errors: ['invalid_json', 'invalid_key', 'not_found', 'too_many'],
      },
      { params: KeyPath, body: NamespaceKeyUpload, response: { 200: KeyView } },
    ),
    ({ params, body, actor }) => addNamespaceKey(namespaces, actor, params.ns, params.fingerprint, body),
  )
  app.delete(
    '/api/v1/namespaces/:ns/keys/:fingerprint',
    described(
      'namespace-manage',
      {
        operationId: 'removeNamespaceKey',
        tags,
        summary: 'Let a key sign nothing new',
        errors: ['not_found'],
      },
      { params: KeyPath, response: { 204: empty('removed') } },
    ),
    async ({ params, actor }, reply) => {
      await namespaces.removeKey(params.ns, params.fingerprint, actor)
      return reply.code(204).send()
    },
  )
  app.get(
    '/api/v1/namespaces/:ns/identities',
    described(
      'anyone',
      {
        operationId: 'listIdentities',
        tags,
        summary: 'Identities that sign for a namespace',
        errors: ['not_found'],
      },
      { params: NamespacePath, response: { 200: IdentityList } },
    ),
    async ({ params: { ns }, actor }) => {
      await requireSeen(namespaces, ns, actor)
      return { identities: await namespaces.identities(ns) }
    },
  )
  app.post(
    '/api/v1/namespaces/:ns/identities',
    described(
      'namespace-manage',
      {
        operationId: 'addIdentity',
        tags,
        summary: 'Let an identity sign for a namespace',
        errors: ['invalid_json', 'not_found', 'too_many'],
      },
      { params: NamespacePath, body: IdentityRule, response: { 201: IdentityView } },
    ),
    async ({ params, body, actor }, reply) =>
      reply.code(201).send(await namespaces.addIdentity(params.ns, body, actor)),
  )
  app.delete(
    '/api/v1/namespaces/:ns/identities/:id',
    described(
      'namespace-manage',
      {
        operationId: 'removeIdentity',
        tags,
        summary: 'Let an identity sign nothing new',
        errors: ['not_found'],
      },
      { params: IdentityPath, response: { 204: empty('removed') } },
    ),
    async ({ params, actor }, reply) => {
      await namespaces.removeIdentity(params.ns, params.id, actor)
      return reply.code(204).send()
    },
  )
}
