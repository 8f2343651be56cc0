import type { Command } from 'commander'
import { z } from 'zod'
import { ProgramId } from '../domain/names.ts'
import { does, example, group, registryFlags, registryShape } from './command.ts'
import type { Io } from './io.ts'

/** The commands about what a node's trust.yaml accepts. */
export function defineTrustCommands(program: Command, io: Io): void {
  const trust = group(program, 'trust', 'Trust policies: what nodes accept.')
  const check = trust
    .command('check')
    .description(
      'Say what a trust policy accepts of what a node runs, or functions would run, before it is in force.',
    )
    .argument('<file>', 'the trust.yaml')
    .option('--state <directory>', 'state directory of an agent: what it runs')
    .option('--function <file...>', 'function files, whose ranges the registry resolves')
    .option('--against <file>', 'the trust.yaml in force: what would be refused that it accepts')
    .addHelpText(
      'after',
      example(
        'hookline trust check new.yaml --against /etc/hookline/trust.yaml --state /var/lib/hookline/agent',
        'hookline trust check trust.yaml --function edge.yaml --url https://registry.example.org',
      ),
    )
  const shape = {
    ...{ ...registryShape, file: z.string(), against: z.string().optional(), state: z.string().optional() },
    function: z.array(z.string()).default([]),
  }
  does(io, registryFlags(check), shape, async (flags, context) =>
    (await import('./trust-check.ts')).checkTrust(flags, context),
  )
  const show = trust
    .command('show')
    .description('Show what a trust policy asks for.')
    .argument('<file>', 'the trust.yaml')
    .option('--program <name>', 'only the rule that decides about this program')
    .addHelpText('after', example('hookline trust show trust.yaml --program acme/ratelimit'))
  does(io, show, { file: z.string(), program: ProgramId.optional() }, async (flags) =>
    (await import('./trust-show.ts')).showTrust(flags),
  )
}
