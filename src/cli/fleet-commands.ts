import type { Command } from 'commander'
import { z } from 'zod'
import { Name } from '../domain/names.ts'
import { Count, does, example, group, passphraseFileOption, registryFlags, registryShape } from './command.ts'
import type { Io } from './io.ts'

/** Shapes of the flags that {@link operatorFlags} adds. */
const operatorShape = {
  operatorKey: z.array(z.string()).default([]),
  trustRegistryRevision: z.boolean(),
  passphraseFile: z.string().optional(),
}

/** Flags of a command that follows up on orders that the registry holds. */
const operatorFlags = (command: Command): Command =>
  command
    .addOption(passphraseFileOption())
    .option('--operator-key <file...>', 'public keys of other operators whose orders count')
    .option(
      '--trust-registry-revision',
      'take the current revision from the registry, whoever signed it',
      false,
    )

/** The commands of operators: what runs where. */
export function defineFleetCommands(program: Command, io: Io): void {
  const fn = group(program, 'function', 'Functions: signed orders of what runs on which nodes.')
  defineApply(fn, io)
  const list = fn
    .command('list')
    .description('List the functions.')
    .addHelpText('after', example('hookline function list'))
  does(io, registryFlags(list), registryShape, async (flags, context) =>
    (await import('./function-show.ts')).listFunctions(flags, context),
  )
  const show = fn
    .command('show')
    .description('Show a function, its instances and its past.')
    .argument('<name>', 'name of the function')
    .addHelpText('after', example('hookline function show edge'))
  does(io, registryFlags(show), { ...registryShape, name: Name }, async (flags, context) =>
    (await import('./function-show.ts')).showFunction(flags, context),
  )
  const remove = fn
    .command('remove')
    .description('End a function by a signed removal; nodes detach it.')
    .argument('<name>', 'name of the function')
    .requiredOption('--key <file>', 'private key of an operator')
    .addHelpText('after', example('hookline function remove edge --key keys/operator.pem'))
  const removeShape = { ...registryShape, ...operatorShape, name: Name, key: z.string() }
  does(io, registryFlags(operatorFlags(remove)), removeShape, async (flags, context) =>
    (await import('./function-show.ts')).removeFunction(flags, context),
  )
  defineRollback(fn, io)
  defineStatus(program, io)
}

function defineApply(fn: Command, io: Io): void {
  const apply = fn
    .command('apply')
    .description('Sign a function file as the next revision and hand it to the registry.')
    .argument('<file>', 'function file in YAML')
    .option('--key <file>', 'private key of an operator')
    .option('--plan-only', 'show what the ranges resolve to, and sign nothing', false)
    .addHelpText('after', example('hookline function apply edge.yaml --key keys/operator.pem'))
  does(
    io,
    registryFlags(operatorFlags(apply)),
    {
      ...registryShape,
      ...operatorShape,
      file: z.string(),
      key: z.string().optional(),
      planOnly: z.boolean(),
    },
    async (flags, context) => (await import('./function-apply.ts')).applyFunction(flags, context),
  )
}

function defineRollback(fn: Command, io: Io): void {
  const rollback = fn
    .command('rollback')
    .description('Go back to the versions that ran before, by a new revision that pins them.')
    .argument('<name>', 'name of the function')
    .requiredOption('--key <file>', 'private key of an operator')
    .option('--to-revision <number>', 'go back to this revision (default: the last with other versions)')
    .addHelpText('after', example('hookline function rollback edge --key keys/operator.pem'))
  const shape = {
    ...registryShape,
    ...operatorShape,
    name: Name,
    key: z.string(),
    toRevision: Count.optional(),
  }
  does(io, registryFlags(operatorFlags(rollback)), shape, async (flags, context) =>
    (await import('./function-rollback.ts')).rollbackFunction(flags, context),
  )
}

function defineStatus(program: Command, io: Io): void {
  const status = program
    .command('status')
    .summary('What runs where.')
    .description('Show what runs on every node, entry by entry, and what stands in the way of what does not.')
    .option('--node <node>', 'only this node, by name or id')
    .option('--state <directory>', 'this host, from the state directory of its agent, without a registry')
    .option('--watch', 'show it again every 2 seconds', false)
    .addHelpText(
      'after',
      example('hookline status --watch', 'hookline status --state /var/lib/hookline-agent'),
    )
  const shape = {
    ...registryShape,
    node: z.string().optional(),
    state: z.string().optional(),
    watch: z.boolean(),
  }
  does(io, registryFlags(status), shape, async ({ watch, ...flags }, context) => {
    const { status: once, watchStatus } = await import('./status.ts')
    return watch ? watchStatus(flags, context) : once(flags, context)
  })
}
