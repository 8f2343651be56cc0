import { z } from 'zod'
import {
  JoinTokenRequest,
  KeyList,
  KeyUpload,
  KeyView,
  NamespaceRequest,
  NewJoinToken,
  NewToken,
  TokenRequest,
} from '../domain/access.ts'
import { Digest, Name } from '../domain/names.ts'
import { createJoinToken, createToken } from '../registry/access.ts'
import { addNamespaceKey, addOperatorKey, keyView } from '../registry/keys.ts'
import { type App, described } from './route.ts'
import type { Services } from './services.ts'

const NamespacePath = z.strictObject({ ns: Name })
const NamespaceKeyPath = z.strictObject({ ns: Name, fingerprint: Digest })
const KeyPath = z.strictObject({ fingerprint: Digest })

/** Namespaces, keys and tokens. */
export function adminRoutes(app: App, { catalog, fleet, tokens, clock }: Services): void {
  app.post(
    '/api/v1/namespaces',
    described(
      'admin',
      {
        operationId: 'createNamespace',
        tags: ['access'],
        summary: 'Create a namespace',
        errors: ['invalid_json', 'namespace_exists'],
      },
      { body: NamespaceRequest, response: { 201: NamespaceRequest } },
    ),
    async ({ body, actor }, reply) => {
      await catalog.addNamespace(body.name, actor)
      return reply.code(201).send({ name: body.name })
    },
  )
  app.get(
    '/api/v1/namespaces/:ns/keys',
    described(
      'anyone',
      {
        operationId: 'listNamespaceKeys',
        tags: ['access'],
        summary: 'Keys that sign for a namespace',
        errors: ['not_found'],
      },
      { params: NamespacePath, response: { 200: KeyList } },
    ),
    async ({ params }) => ({ keys: (await catalog.namespaceKeys(params.ns)).map(keyView) }),
  )
  app.put(
    '/api/v1/namespaces/:ns/keys/:fingerprint',
    described(
      'admin',
      {
        operationId: 'putNamespaceKey',
        tags: ['access'],
        summary: 'Let a key sign for a namespace',
        errors: ['invalid_json', 'invalid_key', 'not_found'],
      },
      { params: NamespaceKeyPath, body: KeyUpload, response: { 200: KeyView } },
    ),
    ({ params, body, actor }) =>
      addNamespaceKey(catalog, actor, params.ns, params.fingerprint, body.publicKey),
  )
  app.get(
    '/api/v1/operators/keys',
    described(
      'fleet',
      { operationId: 'listOperatorKeys', tags: ['access'], summary: 'Keys that sign orders' },
      { response: { 200: KeyList } },
    ),
    async () => ({ keys: (await fleet.operatorKeys()).map(keyView) }),
  )
  app.put(
    '/api/v1/operators/keys/:fingerprint',
    described(
      'admin',
      {
        operationId: 'putOperatorKey',
        tags: ['access'],
        summary: 'Let a key sign orders',
        errors: ['invalid_json', 'invalid_key'],
      },
      { params: KeyPath, body: KeyUpload, response: { 200: KeyView } },
    ),
    ({ params, body, actor }) => addOperatorKey(fleet, actor, params.fingerprint, body.publicKey),
  )
  app.post(
    '/api/v1/tokens',
    described(
      'admin',
      { operationId: 'createToken', tags: ['access'], summary: 'Make a token', errors: ['invalid_json'] },
      { body: TokenRequest, response: { 201: NewToken } },
    ),
    async ({ body, actor }, reply) => reply.code(201).send(await createToken(tokens, clock, actor, body)),
  )
  app.post(
    '/api/v1/join-tokens',
    described(
      'fleet',
      {
        operationId: 'createJoinToken',
        tags: ['access'],
        summary: 'Make a token that lets nodes join',
        errors: ['invalid_json'],
      },
      { body: JoinTokenRequest, response: { 201: NewJoinToken } },
    ),
    async ({ body, actor }, reply) => reply.code(201).send(await createJoinToken(tokens, clock, actor, body)),
  )
}
