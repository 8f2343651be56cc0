import { z } from 'zod'
import { AccountName } from '../domain/account.ts'
import { Name } from '../domain/names.ts'
import {
  InvitationList,
  MemberList,
  MemberRequest,
  MemberView,
  NamespaceList,
  NamespaceRequest,
  NamespaceView,
  RobotRequest,
} from '../domain/namespace.ts'
import { NewToken, TokenRequest } from '../domain/token.ts'
import { createNamespace, putMember, robotAccount } from '../registry/memberships.ts'
import { viewNamespace } from '../registry/namespaces.ts'
import { createToken } from '../registry/tokens.ts'
import { type App, described, empty, holderOf } from './route.ts'
import type { Services } from './services.ts'

const NamespacePath = z.strictObject({ ns: Name })
const MemberPath = z.strictObject({ ns: Name, account: AccountName })
const RobotPath = z.strictObject({ ns: Name, robot: Name })
const tags = ['namespaces']

/** Namespaces: who owns them and publishes in them. */
export function namespaceRoutes(app: App, services: Services): void {
  const { namespaces, clock } = services
  app.post(
    '/api/v1/namespaces',
    described(
      'membership',
      {
        operationId: 'createNamespace',
        tags,
        summary: 'Create a namespace, which the caller then owns',
        errors: ['invalid_json', 'namespace_exists', 'name_reserved', 'name_look_alike', 'too_many'],
      },
      { body: NamespaceRequest, response: { 201: NamespaceView } },
    ),
    async (request, reply) => {
      const { name } = request.body
      await createNamespace(namespaces, holderOf(request), name)
      return reply.code(201).send({ ...(await namespaces.view(name)), role: 'owner' as const })
    },
  )
  app.get(
    '/api/v1/namespaces',
    described(
      'account',
      { operationId: 'listNamespaces', tags, summary: 'The namespaces that one is a member of' },
      { response: { 200: NamespaceList } },
    ),
    async (request) => ({ namespaces: await namespaces.memberships(holderOf(request).account.name) }),
  )
  app.get(
    '/api/v1/namespaces/:ns',
    described(
      'anyone',
      { operationId: 'getNamespace', tags, summary: 'A namespace', errors: ['not_found'] },
      { params: NamespacePath, response: { 200: NamespaceView } },
    ),
    ({ params: { ns }, actor }) => viewNamespace(namespaces, ns, actor),
  )
  memberRoutes(app, services)
  app.get(
    '/api/v1/invitations',
    described(
      'account',
      { operationId: 'listInvitations', tags, summary: 'One’s invitations' },
      { response: { 200: InvitationList } },
    ),
    async (request) => ({
      invitations: await namespaces.invitations(holderOf(request).account.name, clock()),
    }),
  )
  app.post(
    '/api/v1/invitations/:ns/accept',
    described(
      'membership',
      { operationId: 'acceptInvitation', tags, summary: 'Become a member', errors: ['not_found'] },
      { params: NamespacePath, response: { 200: MemberView } },
    ),
    (request) => {
      const holder = holderOf(request)
      return namespaces.acceptInvitation(request.params.ns, holder.account.name, clock(), holder)
    },
  )
  app.delete(
    '/api/v1/invitations/:ns',
    described(
      'membership',
      {
        operationId: 'leaveNamespace',
        tags,
        summary: 'Decline an invitation, or end one’s own membership',
        errors: ['not_found', 'last_owner'],
      },
      { params: NamespacePath, response: { 204: empty('done') } },
    ),
    async (request, reply) => {
      const holder = holderOf(request)
      await namespaces.leave(request.params.ns, holder.account.name, holder)
      return reply.code(204).send()
    },
  )
}

/** Members, those invited, and robots. */
function memberRoutes(app: App, { accounts, namespaces, clock }: Services): void {
  app.get(
    '/api/v1/namespaces/:ns/members',
    described(
      'namespace-read',
      { operationId: 'listMembers', tags, summary: 'Members and those invited' },
      { params: NamespacePath, response: { 200: MemberList } },
    ),
    async ({ params }) => ({ members: await namespaces.members(params.ns, clock()) }),
  )
  app.put(
    '/api/v1/namespaces/:ns/members/:account',
    described(
      'namespace-manage',
      {
        operationId: 'putMember',
        tags,
        summary: 'Invite an account, or change a member’s role',
        errors: ['invalid_json', 'not_found', 'last_owner', 'robot_not_allowed', 'too_many'],
      },
      { params: MemberPath, body: MemberRequest, response: { 200: MemberView } },
    ),
    ({ params: { ns, account }, body: { role }, actor }) =>
      putMember(namespaces, clock, actor, { namespace: ns, account, role }),
  )
  app.delete(
    '/api/v1/namespaces/:ns/members/:account',
    described(
      'namespace-manage',
      {
        operationId: 'removeMember',
        tags,
        summary: 'End a membership, or take an invitation back',
        errors: ['not_found', 'last_owner'],
      },
      { params: MemberPath, response: { 204: empty('removed') } },
    ),
    async ({ params, actor }, reply) => {
      await namespaces.removeMember(params.ns, params.account, actor)
      return reply.code(204).send()
    },
  )
  app.post(
    '/api/v1/namespaces/:ns/robots',
    described(
      'namespace-manage',
      {
        operationId: 'createRobot',
        tags,
        summary: 'Make a robot: an account of the namespace that has tokens only',
        errors: ['invalid_json', 'account_exists', 'name_look_alike', 'not_found', 'too_many'],
      },
      { params: NamespacePath, body: RobotRequest, response: { 201: MemberView } },
    ),
    async ({ params, body, actor }, reply) =>
      reply.code(201).send(await namespaces.addRobot(params.ns, body, actor)),
  )
  app.post(
    '/api/v1/namespaces/:ns/robots/:robot/tokens',
    described(
      'namespace-manage',
      {
        operationId: 'createRobotToken',
        tags,
        summary: 'Make a token for a robot',
        errors: ['invalid_json', 'not_found', 'token_escalation', 'too_many'],
      },
      { params: RobotPath, body: TokenRequest, response: { 201: NewToken } },
    ),
    async (request, reply) => {
      const { ns, robot } = request.params
      const account = robotAccount(ns, robot)
      const made = await createToken(accounts, clock, holderOf(request), account, request.body)
      return reply.code(201).send(made)
    },
  )
  app.delete(
    '/api/v1/namespaces/:ns/robots/:robot/tokens/:id',
    described(
      'namespace-manage',
      { operationId: 'revokeRobotToken', tags, summary: 'End a token of a robot', errors: ['not_found'] },
      {
        params: z.strictObject({ ns: Name, robot: Name, id: z.uuid() }),
        response: { 204: empty('revoked') },
      },
    ),
    async ({ params: { ns, robot, id }, actor }, reply) => {
      await accounts.revokeToken(robotAccount(ns, robot), id, actor)
      return reply.code(204).send()
    },
  )
}
