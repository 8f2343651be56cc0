import { z } from 'zod'
import { LIMITS } from '../domain/limits.ts'
import { Name, Version } from '../domain/names.ts'
import {
  ChannelName,
  ChannelRequest,
  MessageRequest,
  ReportList,
  ReportRequest,
  ReportView,
} from '../domain/release.ts'
import type { Subject } from '../ports/lifecycle.ts'
import { readableBy } from '../registry/access.ts'
import { type App, described, empty, holderOf } from './route.ts'
import type { Services } from './services.ts'

const ProgramPath = z.strictObject({ ns: Name, name: Name })
const ReleasePath = z.strictObject({ ns: Name, name: Name, version: Version })
const ChannelPath = z.strictObject({ ns: Name, name: Name, channel: ChannelName })
const PROGRAM = '/api/v1/programs/:ns/:name'
const RELEASE = `${PROGRAM}/versions/:version`
const tags = ['lifecycle']
const DONE = { 204: empty('done') }

/** What becomes of releases after they are published. */
export function lifecycleRoutes(app: App, services: Services): void {
  const { lifecycle, clock } = services
  app.put(
    `${RELEASE}/yank`,
    described(
      'program-yank',
      {
        operationId: 'yankRelease',
        tags,
        summary: 'Leave a release out where another one fits; its bytes stay',
        errors: ['invalid_json', 'not_found', 'version_not_found'],
      },
      { params: ReleasePath, body: MessageRequest, response: DONE },
    ),
    async ({ params: { ns, name, version }, body, actor }, reply) => {
      await lifecycle.yank(`${ns}/${name}`, version, body.message, actor)
      return reply.code(204).send()
    },
  )
  app.delete(
    `${RELEASE}/yank`,
    described(
      'program-yank',
      {
        operationId: 'unyankRelease',
        tags,
        summary: 'Offer a yanked release again',
        errors: ['not_found', 'version_not_found'],
      },
      { params: ReleasePath, response: DONE },
    ),
    async ({ params: { ns, name, version }, actor }, reply) => {
      await lifecycle.yank(`${ns}/${name}`, version, undefined, actor)
      return reply.code(204).send()
    },
  )
  for (const [path, params, what] of [
    [PROGRAM, ProgramPath, 'Program'],
    [RELEASE, ReleasePath, 'Release'],
  ] as const) {
    const noted = { deprecation: 'deprecate', quarantine: 'quarantine' } as const
    for (const [note, verb] of Object.entries(noted) as [keyof typeof noted, 'deprecate' | 'quarantine'][]) {
      const right = verb === 'deprecate' ? 'program-yank' : 'admin'
      const subjectOf = (path: { ns: string; name: string; version?: string }): Subject => ({
        ...{ program: `${path.ns}/${path.name}`, version: path.version },
      })
      app.put(
        `${path}/${note}`,
        described(
          right,
          {
            operationId: `${verb}${what}`,
            tags,
            summary:
              verb === 'deprecate'
                ? `Say that there is something better than this ${what.toLowerCase()}`
                : `Take a ${what.toLowerCase()} away from everybody but its namespace, which sees why`,
            errors: ['invalid_json', 'not_found', 'version_not_found'],
          },
          { params, body: MessageRequest, response: DONE },
        ),
        async (request, reply) => {
          await lifecycle[verb](subjectOf(request.params), request.body.message, request.actor)
          return reply.code(204).send()
        },
      )
      app.delete(
        `${path}/${note}`,
        described(
          right,
          {
            operationId: `un${verb}${what}`,
            tags,
            summary: verb === 'deprecate' ? 'Take a deprecation back' : 'Give back what was quarantined',
            errors: ['not_found', 'version_not_found'],
          },
          { params, response: DONE },
        ),
        async (request, reply) => {
          await lifecycle[verb](subjectOf(request.params), undefined, request.actor)
          return reply.code(204).send()
        },
      )
    }
  }
  app.put(
    `${PROGRAM}/channels/:channel`,
    described(
      'program-yank',
      {
        operationId: 'setChannel',
        tags,
        summary: 'Point a channel to a release',
        errors: ['invalid_json', 'not_found', 'version_not_found', 'too_many'],
      },
      { params: ChannelPath, body: ChannelRequest, response: DONE },
    ),
    async ({ params: { ns, name, channel }, body, actor }, reply) => {
      await lifecycle.setChannel(`${ns}/${name}`, channel, body.version, actor)
      return reply.code(204).send()
    },
  )
  app.delete(
    `${PROGRAM}/channels/:channel`,
    described(
      'program-yank',
      { operationId: 'removeChannel', tags, summary: 'Remove a channel', errors: ['not_found'] },
      { params: ChannelPath, response: DONE },
    ),
    async ({ params: { ns, name, channel }, actor }, reply) => {
      await lifecycle.removeChannel(`${ns}/${name}`, channel, actor)
      return reply.code(204).send()
    },
  )
  app.delete(
    RELEASE,
    described(
      'program-manage',
      {
        operationId: 'deleteRelease',
        tags,
        summary: `Delete a release, within ${LIMITS.delete_within_s / 3600} hours, while nothing uses it and it is not revoked; its version stays taken`,
        errors: [
          'not_found',
          'version_not_found',
          'release_too_old',
          'release_is_evidence',
          'release_in_use',
        ],
      },
      { params: ReleasePath, response: DONE },
    ),
    async ({ params: { ns, name, version }, actor }, reply) => {
      const notBefore = new Date(clock().getTime() - LIMITS.delete_within_s * 1000)
      await lifecycle.delete(`${ns}/${name}`, version, notBefore, actor)
      return reply.code(204).send()
    },
  )
  app.post(
    `${RELEASE}/takedown`,
    described(
      'admin',
      {
        operationId: 'takeDownRelease',
        tags,
        summary: 'Delete a release for good, however old it is, while no function uses it',
        errors: ['not_found', 'version_not_found', 'release_in_use'],
      },
      { params: ReleasePath, response: DONE },
    ),
    async ({ params: { ns, name, version }, actor }, reply) => {
      await lifecycle.delete(`${ns}/${name}`, version, undefined, actor)
      return reply.code(204).send()
    },
  )
  reportRoutes(app, services)
}

/** What people hold against programs. */
function reportRoutes(app: App, { lifecycle }: Services): void {
  app.post(
    '/api/v1/reports',
    described(
      'account',
      {
        operationId: 'report',
        tags,
        summary: 'Report a program or a release to the administrators',
        errors: ['invalid_json', 'not_found', 'version_not_found', 'too_many'],
      },
      { body: ReportRequest, response: { 201: ReportView } },
    ),
    async (request, reply) => {
      const holder = holderOf(request)
      const made = await lifecycle.report(request.body, holder.account.name, readableBy(holder), holder)
      return reply.code(201).send(made)
    },
  )
  app.get(
    '/api/v1/reports',
    described(
      'admin',
      { operationId: 'listReports', tags, summary: `Reports, the newest ${LIMITS.report_items}` },
      {
        querystring: z.strictObject({ state: z.enum(['open', 'resolved']).default('open') }),
        response: { 200: ReportList },
      },
    ),
    async ({ query }) => ({
      reports: await lifecycle.reports(query.state === 'open', LIMITS.report_items),
    }),
  )
  app.put(
    '/api/v1/reports/:id/resolution',
    described(
      'admin',
      {
        operationId: 'resolveReport',
        tags,
        summary: 'Close a report',
        errors: ['invalid_json', 'not_found'],
      },
      { params: z.strictObject({ id: z.uuid() }), body: MessageRequest, response: { 200: ReportView } },
    ),
    ({ params, body, actor }) => lifecycle.resolveReport(params.id, body.message, actor),
  )
}
