import type { Command } from 'commander'
import { z } from 'zod'
import { Name, ProgramId } from '../domain/names.ts'
import { CiProvider, TrustedPublisherRequest } from '../domain/trusted-publisher.ts'
import { does, example, group, registryFlags, registryShape } from './command.ts'
import type { Io } from './io.ts'

/** The commands about pipelines that publish without a stored secret. */
export function definePublisherCommands(program: Command, io: Io): void {
  const publisher = group(
    program,
    'trusted-publisher',
    'Pipelines that publish by their identity, without a stored secret.',
  )
  const add = publisher
    .command('add')
    .description('Let a pipeline of GitHub Actions or GitLab CI publish a program, which need not exist yet.')
    .argument('<program>', 'namespace/name')
    .option('--provider <name>', CiProvider.options.join(' or '), 'github')
    .requiredOption('--repository <path>', 'owner/name, letter for letter')
    .option('--workflow <file>', 'GitHub: a file in .github/workflows; GitLab: by default .gitlab-ci.yml')
    .option('--environment <name>', 'only jobs of this environment')
    .option('--ref <ref>', 'only runs of this ref, such as refs/heads/main or refs/tags/v*')
    .option('--issuer <url>', 'of an instance of one’s own')
    .addHelpText(
      'after',
      example(
        'hookline trusted-publisher add acme/ratelimit --repository acme/ratelimit --workflow release.yml --ref "refs/tags/v*"',
      ),
    )
  const { workflow, environment, ref, issuer } = TrustedPublisherRequest.shape
  does(
    io,
    registryFlags(add),
    {
      ...{
        ...registryShape,
        program: ProgramId,
        provider: CiProvider,
        repository: TrustedPublisherRequest.shape.repository,
      },
      ...{ workflow, environment, ref, issuer },
    },
    async ({ program: target, ...flags }, context) =>
      (await import('./trusted-publishers.ts')).addTrustedPublisher({ ...flags, target }, context),
  )
  const list = publisher
    .command('list')
    .description('List the pipelines that may publish in a namespace.')
    .requiredOption('--namespace <name>', 'the namespace')
    .addHelpText('after', example('hookline trusted-publisher list --namespace acme'))
  does(io, registryFlags(list), { ...registryShape, namespace: Name }, async (flags, context) =>
    (await import('./trusted-publishers.ts')).listTrustedPublishers(flags, context),
  )
  const remove = publisher
    .command('remove')
    .description('End a pipeline’s right to publish, and the tokens that it has.')
    .argument('<id>', 'as `hookline trusted-publisher list` shows it')
    .requiredOption('--namespace <name>', 'the namespace')
    .addHelpText(
      'after',
      example('hookline trusted-publisher remove 019c2f6e-5a70-7d6f-9c6b-2f4f0f1a2b3c --namespace acme'),
    )
  does(
    io,
    registryFlags(remove),
    { ...registryShape, namespace: Name, id: z.uuid() },
    async (flags, context) =>
      (await import('./trusted-publishers.ts')).removeTrustedPublisher(flags, context),
  )
}
