import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { CheckList } from '../domain/check.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { Name, ProgramId, releaseRef, Version } from '../domain/names.ts'
import { BundleRequest, ProgramPage, ProgramView, ReleaseView, Visibility } from '../domain/release.ts'
import { readableBy } from '../registry/access.ts'
import { cosign } from '../registry/cosign.ts'
import { checkUpload, publish } from '../registry/publish.ts'
import { stagedFiles } from '../registry/uploads.ts'
import { type App, bytes, described, empty, holderOf } from './route.ts'
import type { Services } from './services.ts'
import { readUpload } from './upload.ts'

const ProgramPath = z.strictObject({ ns: Name, name: Name })
const ReleasePath = z.strictObject({ ns: Name, name: Name, version: Version })
const Page = z.strictObject({
  cursor: ProgramId.optional(),
  limit: z.coerce.number().int().min(1).max(LIMITS.page_items).default(LIMITS.page_items),
})

/** The parts of a release, for the description only: they are read as they arrive, see {@link readUpload}. */
const ReleaseUpload = z.strictObject({
  manifest: z.string().meta({ format: 'binary', description: 'hookline.yaml' }),
  bundle: z
    .array(z.string().meta({ format: 'binary' }))
    .meta({
      description: 'Sigstore bundles v0.3 (JSON): the publisher’s first, then those of further signers',
    })
    .optional(),
  provenance: z
    .string()
    .meta({ format: 'binary', description: 'Sigstore bundle v0.3 (JSON) with an SLSA v1 provenance' })
    .optional(),
  file: z
    .array(z.string().meta({ format: 'binary' }))
    .meta({ description: 'the other files, each with its filename' }),
  staged: z
    .string()
    .meta({ format: 'binary', description: 'JSON: [{ name, digest }] of files that were sent ahead' })
    .optional(),
})

/** What whoever looks at a release should know, as `Warning` fields (RFC 7234 section 5.5, code 299). */
const warningsOf = ({ program, version, yanked, deprecated, revoked }: ReleaseView): string[] =>
  Object.entries({ yanked, deprecated, revoked }).flatMap(([what, why]) =>
    why === undefined ? [] : [`299 - "${headerText(`${program}@${version} is ${what}: ${why}`)}"`],
  )

/** Text in quotes of a header field: what cannot stand there is a question mark. */
const headerText = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?').replace(/["\\]/g, "'")

/** A release with the files that were sent ahead of it. */
async function wholeUpload(services: Services, request: FastifyRequest) {
  const upload = await readUpload(request)
  const ahead = await stagedFiles(services, holderOf(request), upload.staged)
  return { ...upload, files: new Map([...upload.files, ...ahead]) }
}

/** Who may read a program whose first release this is. */
const PublishQuery = z.strictObject({ visibility: Visibility.default('public') })

const VisibilityRequest = z.strictObject({ visibility: Visibility })
const BUNDLE_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json'
const tags = ['catalog']
/** Why a signature may be refused. */
const SIGNATURE_REFUSALS = [
  ...(['bundle_missing', 'bundle_invalid', 'signer_not_allowed', 'signature_invalid'] as const),
  ...(['statement_invalid', 'release_mismatch', 'subject_mismatch', 'key_expired'] as const),
  ...(['manifest_mismatch', 'subject_missing', 'subject_unsigned'] as const),
  ...(['certificate_invalid', 'no_trusted_root'] as const),
]

/** Publishing and browsing. */
export function catalogRoutes(app: App, services: Services): void {
  const { catalog } = services
  const publishing = described(
    'publish',
    {
      operationId: 'publishRelease',
      tags,
      summary: 'Publish a release; all of it becomes visible at once, or nothing',
      errors: [
        ...([
          'too_large',
          'invalid_manifest',
          'not_supported_yet',
          'not_found',
          'release_exists',
          'program_public',
        ] as const),
        'upload_missing',
        ...([
          'unsupported_media_type',
          'elf_malformed',
          'entry_not_found',
          'invalid_license',
          'source_missing',
          'gpl_required',
          'quota_exceeded',
          'object_mismatch',
        ] as const),
        ...SIGNATURE_REFUSALS,
        ...(['provenance_invalid', 'blob_being_removed'] as const),
      ],
    },
    { querystring: PublishQuery, body: ReleaseUpload, response: { 201: ReleaseView } },
  )
  app.post(
    '/api/v1/releases',
    {
      ...publishing,
      schema: { ...publishing.schema, consumes: ['multipart/form-data'] },
      // the parts are checked while they arrive: there is no body to validate
      validatorCompiler: () => (value) => ({ value }),
    },
    async (request, reply) => {
      const upload = await wholeUpload(services, request)
      const release = await publish(services, request.actor, { ...upload, ...request.query })
      const digests = upload.staged.map(({ digest }) => digest)
      await services.uploads.forget(holderOf(request).account.id, digests)
      const [path, version] = [release.program, release.version]
      return reply.code(201).header('location', `/api/v1/programs/${path}/versions/${version}`).send(release)
    },
  )
  const checking = described(
    'publish',
    {
      operationId: 'checkRelease',
      tags,
      summary: 'Check a release as a publish would, and publish nothing',
      errors: ['too_large', 'invalid_manifest', 'not_found', 'unsupported_media_type', 'upload_missing'],
    },
    { body: ReleaseUpload, response: { 200: CheckList } },
  )
  app.post(
    '/api/v1/checks',
    {
      ...checking,
      schema: { ...checking.schema, consumes: ['multipart/form-data'] },
      validatorCompiler: () => (value) => ({ value }),
    },
    async (request) => {
      const upload = { ...(await wholeUpload(services, request)), visibility: 'public' as const }
      const { checks } = await checkUpload(services, request.actor, upload)
      return { publishable: checks.every(({ level }) => level !== 'error'), checks }
    },
  )
  app.get(
    '/api/v1/programs',
    described(
      'anyone',
      { operationId: 'listPrograms', tags, summary: 'Programs by name' },
      { querystring: Page, response: { 200: ProgramPage } },
    ),
    ({ query, actor }) => catalog.programs(query.cursor, query.limit, readableBy(actor)),
  )
  app.get(
    '/api/v1/programs/:ns/:name',
    described(
      'anyone',
      { operationId: 'getProgram', tags, summary: 'A program and its versions', errors: ['not_found'] },
      { params: ProgramPath, response: { 200: ProgramView } },
    ),
    ({ params, actor }) => catalog.program(`${params.ns}/${params.name}`, readableBy(actor)),
  )
  app.put(
    '/api/v1/programs/:ns/:name/visibility',
    described(
      'program-manage',
      {
        operationId: 'setVisibility',
        tags,
        summary: 'Say who may read a program: everybody, or members and the nodes that run it',
        errors: ['invalid_json', 'not_found'],
      },
      { params: ProgramPath, body: VisibilityRequest, response: { 204: empty('done') } },
    ),
    async ({ params, body, actor }, reply) => {
      await catalog.setVisibility(`${params.ns}/${params.name}`, body.visibility, actor)
      return reply.code(204).send()
    },
  )
  app.get(
    '/api/v1/programs/:ns/:name/versions/:version',
    described(
      'anyone',
      { operationId: 'getRelease', tags, summary: 'A release', errors: ['not_found', 'version_not_found'] },
      { params: ReleasePath, response: { 200: ReleaseView } },
    ),
    async ({ params, actor }, reply) => {
      const view = await catalog.release(`${params.ns}/${params.name}`, params.version, readableBy(actor))
      for (const warning of warningsOf(view)) reply.header('warning', warning)
      return view
    },
  )
  app.get(
    '/api/v1/programs/:ns/:name/versions/:version/bundle',
    described(
      'anyone',
      {
        operationId: 'getBundle',
        tags,
        summary: 'The Sigstore bundle of a release, byte for byte',
        errors: ['not_found', 'version_not_found'],
      },
      {
        params: ReleasePath,
        response: { 200: bytes('the bundle', BUNDLE_TYPE) },
      },
    ),
    async ({ params, actor }, reply) => {
      const program = `${params.ns}/${params.name}`
      const { bundle } = await catalog.release(program, params.version, readableBy(actor))
      reply.type(BUNDLE_TYPE)
      return reply.send(Buffer.from(bundle))
    },
  )
  app.post(
    '/api/v1/programs/:ns/:name/versions/:version/bundles',
    described(
      'publish',
      {
        operationId: 'cosignRelease',
        tags,
        summary: 'Add the signature of a further signer of the namespace to a release',
        errors: [
          ...(['invalid_json', 'not_found', 'version_not_found', 'too_large', 'too_many'] as const),
          ...SIGNATURE_REFUSALS,
        ],
      },
      { params: ReleasePath, body: BundleRequest, response: { 200: ReleaseView } },
    ),
    ({ params: { ns, name, version }, body, actor }) =>
      cosign(services, actor, `${ns}/${name}`, version, body.bundle),
  )
  app.get(
    '/api/v1/programs/:ns/:name/versions/:version/provenance',
    described(
      'anyone',
      {
        operationId: 'getProvenance',
        tags,
        summary: 'The Sigstore bundle with the provenance of a release, byte for byte',
        errors: ['not_found', 'version_not_found'],
      },
      { params: ReleasePath, response: { 200: bytes('the bundle', BUNDLE_TYPE) } },
    ),
    async ({ params: { ns, name, version }, actor }, reply) => {
      const bundle = await catalog.provenance(`${ns}/${name}`, version, readableBy(actor))
      if (bundle === undefined)
        throw new DomainError('not_found', `${releaseRef(`${ns}/${name}`, version)} has no provenance`)
      reply.type(BUNDLE_TYPE)
      return reply.send(Buffer.from(bundle))
    },
  )
}
