import { z } from 'zod'
import type { AccountRights } from './account.ts'
import { LIMITS } from './limits.ts'
import { Name, ProgramId } from './names.ts'

/** Services that run pipelines and give them identity tokens. */
export const CiProvider = z.enum(['github', 'gitlab'])
export type CiProvider = z.infer<typeof CiProvider>

/** Whose identity tokens are taken, and whose claims they have. */
export interface CiIssuer {
  readonly provider: CiProvider
  /** As the tokens' `iss` says it. */
  readonly issuer: string
}

/** The issuers that everybody can use. */
export const PUBLIC_ISSUERS: readonly CiIssuer[] = [
  { provider: 'github', issuer: 'https://token.actions.githubusercontent.com' },
  { provider: 'gitlab', issuer: 'https://gitlab.com' },
]

const Part = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/
const text = z
  .string()
  .max(LIMITS.publisher_chars)
  .regex(/^[!-~]+$/, 'printable characters without spaces')

/** Request for a trusted publisher: the pipeline that may publish a program, which need not exist yet. */
export const TrustedPublisherRequest = z
  .strictObject({
    /** Name of the program within the namespace. */
    program: Name,
    provider: CiProvider,
    /** By default the provider's public one. */
    issuer: z
      .url({ protocol: /^https?$/ })
      .max(LIMITS.publisher_chars)
      .optional(),
    /** owner/name; on GitLab also group/subgroup/name. */
    repository: text.refine((path) => {
      const parts = path.split('/')
      return parts.length >= 2 && parts.every((part) => Part.test(part) && part !== '..')
    }, 'owner/name, letter for letter'),
    /** On GitHub a file in .github/workflows; on GitLab the path of the pipeline's file, by default .gitlab-ci.yml. */
    workflow: text
      .refine((path) => !path.includes('@') && !path.includes('..'), 'a file of the repository')
      .optional(),
    environment: z
      .string()
      .min(1)
      .max(LIMITS.publisher_chars)
      .regex(/^[^\p{C}]+$/u, 'printable characters')
      .optional(),
    /** A ref, or with `*` at its end all that begin so, such as refs/tags/v*. */
    ref: text.regex(/^refs\/[^*]+\*?$/, 'such as refs/heads/main or refs/tags/v*').optional(),
  })
  .superRefine(({ provider, repository, workflow }, context) => {
    if (provider !== 'github') return
    if (repository.split('/').length !== 2)
      context.addIssue({ code: 'custom', path: ['repository'], message: 'owner/name' })
    if (workflow === undefined || !/^[^/]+\.ya?ml$/.test(workflow))
      context.addIssue({
        code: 'custom',
        path: ['workflow'],
        message: 'name the file in .github/workflows, such as release.yml',
      })
  })
export type TrustedPublisherRequest = z.infer<typeof TrustedPublisherRequest>

/** A trusted publisher as members see it. `pinned`: whether a first token has said which repository this is by number. */
export const TrustedPublisherView = z.strictObject({
  id: z.uuid(),
  program: ProgramId,
  provider: CiProvider,
  issuer: z.string(),
  repository: z.string(),
  workflow: z.string(),
  environment: z.string().optional(),
  ref: z.string().optional(),
  pinned: z.boolean(),
  createdAt: z.iso.datetime(),
})
export type TrustedPublisherView = z.infer<typeof TrustedPublisherView>

/** All trusted publishers of a namespace, by program. */
export const TrustedPublisherList = z.strictObject({ publishers: z.array(TrustedPublisherView) })

/** An identity token to exchange for a token that publishes this program. */
export const IdTokenExchange = z.strictObject({
  program: ProgramId,
  idToken: z.string().min(1).max(LIMITS.id_token_chars),
})
export type IdTokenExchange = z.infer<typeof IdTokenExchange>

/** What a verified identity token says of the run that it was given to. */
export interface CiRun {
  readonly provider: CiProvider
  readonly issuer: string
  readonly repository: string
  /** Numbers that a repository and its owner keep when they are renamed, and that nobody else ever gets. */
  readonly repositoryId: string
  readonly ownerId: string
  /** As in {@link TrustedPublisherRequest}. */
  readonly workflow: string
  readonly environment: string | undefined
  readonly ref: string
  /** The event that started the run; undefined where the provider does not say. */
  readonly event: string | undefined
}

/** A trusted publisher as it is kept. */
export interface TrustedPublisher {
  readonly id: string
  readonly provider: CiProvider
  readonly issuer: string
  readonly repository: string
  readonly workflow: string
  readonly environment: string | undefined
  readonly ref: string | undefined
  readonly repositoryId: string | undefined
  readonly ownerId: string | undefined
}

/** Runs of strangers' code with the rights of the repository: pull requests and what follows on them. */
const UNTRUSTED_EVENTS = ['pull_request_target', 'workflow_run']

/** Whether a run is of this publisher: every part is the same, letter for letter, and the numbers are those of the first time. */
export function isRunOf(publisher: TrustedPublisher, run: CiRun): boolean {
  const { ref } = publisher
  return (
    publisher.provider === run.provider &&
    publisher.issuer === run.issuer &&
    publisher.repository === run.repository &&
    publisher.workflow === run.workflow &&
    (publisher.environment === undefined || publisher.environment === run.environment) &&
    (ref === undefined || (ref.endsWith('*') ? run.ref.startsWith(ref.slice(0, -1)) : ref === run.ref)) &&
    (publisher.repositoryId === undefined || publisher.repositoryId === run.repositoryId) &&
    (publisher.ownerId === undefined || publisher.ownerId === run.ownerId) &&
    !UNTRUSTED_EVENTS.includes(run.event ?? '')
  )
}

/** What a pipeline may do: publish in its namespace, within the bounds of its token. It is named by provider and repository. */
export const workloadRights = (
  { id, provider, repository }: Pick<TrustedPublisher, 'id' | 'provider' | 'repository'>,
  namespace: string,
): AccountRights => ({
  ...{ id, name: `${provider}:${repository}`, kind: 'workload', admin: false, fleet: 'none' },
  memberships: [{ namespace, role: 'publisher' }],
})
