import type { Command } from 'commander'
import { z } from 'zod'
import { ProgramId } from '../domain/names.ts'
import {
  Count,
  does,
  example,
  group,
  registryFlags,
  registryShape,
  signingFlags,
  signingShape,
} from './command.ts'
import type { Io } from './io.ts'

/** The commands about what a node's trust.yaml accepts. */
export function defineTrustCommands(program: Command, io: Io): void {
  const trust = group(program, 'trust', 'Trust policies: what nodes accept.')
  const check = trust
    .command('check')
    .description(
      'Say what a trust policy accepts of what a node runs, or functions would run, before it is in force.',
    )
    .argument('<file>', 'a trust.yaml, or a policy of owners, signed or not')
    .option('--state <directory>', 'state directory of an agent: what it runs')
    .option('--function <file...>', 'function files, whose ranges the registry resolves')
    .option('--against <file>', 'the policy in force: what would be refused that it accepts')
    .option(
      '--under <file>',
      'the trust.yaml that binds a policy of owners: floor, log and trusted root (default: that of --against)',
    )
    .addHelpText(
      'after',
      example(
        'hookline trust check new.yaml --against /etc/hookline/trust.yaml --state /var/lib/hookline-agent',
        'hookline trust check trust.yaml --function edge.yaml --url https://registry.example.org',
      ),
    )
  const shape = {
    ...{ ...registryShape, file: z.string(), against: z.string().optional(), state: z.string().optional() },
    under: z.string().optional(),
    function: z.array(z.string()).default([]),
  }
  does(io, registryFlags(check), shape, async (flags, context) =>
    (await import('./trust-check.ts')).checkTrust(flags, context),
  )
  const show = trust
    .command('show')
    .description('Show what a trust policy asks for.')
    .argument('<file>', 'a trust.yaml, or a policy of owners, signed or not')
    .option('--program <name>', 'only the rule that decides about this program')
    .addHelpText('after', example('hookline trust show trust.yaml --program acme/ratelimit'))
  does(io, show, { file: z.string(), program: ProgramId.optional() }, async (flags) =>
    (await import('./trust-show.ts')).showTrust(flags),
  )
  const sign = trust
    .command('sign')
    .description('Sign a policy for many nodes, as one of the owners that their trust.yaml names.')
    .argument('<file>', 'the policy file')
    .option(
      '--revision <number>',
      'higher than any before: nodes refuse older ones (default: the registry is asked for the one before)',
    )
    .requiredOption('--out <file>', 'where to write the signed policy')
    .addHelpText(
      'after',
      example(
        'hookline trust sign edge-policy.yaml --key keys/owner.pem --out edge-policy.json',
        'hookline trust sign edge-policy.yaml --revision 4 --key keys/owner.pem --out edge-policy.json   # offline',
      ),
    )
  const signShape = {
    ...{ ...registryShape, ...signingShape, file: z.string() },
    ...{ revision: Count.optional(), out: z.string().min(1) },
  }
  does(io, registryFlags(signingFlags(sign)), signShape, async (flags, context) =>
    (await import('./trust-push.ts')).signTrust(flags, context),
  )
  const push = trust
    .command('push')
    .description('Hand a signed policy in at the registry, which passes it on to nodes.')
    .argument('<file>', 'as `hookline trust sign` wrote it')
    .requiredOption('--public-key <file>', 'public key of the owner who signed it')
    .addHelpText('after', example('hookline trust push edge-policy.json --public-key keys/owner.pub.pem'))
  const pushShape = { ...registryShape, file: z.string(), publicKey: z.string() }
  does(io, registryFlags(push), pushShape, async (flags, context) =>
    (await import('./trust-push.ts')).pushTrust(flags, context),
  )
  const list = trust
    .command('list')
    .description('List the policies of owners that the registry passes on to nodes.')
    .addHelpText('after', example('hookline trust list'))
  does(io, registryFlags(list), registryShape, async (flags, context) =>
    (await import('./trust-push.ts')).listPolicies(flags, context),
  )
}
