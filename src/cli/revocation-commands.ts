import type { Command } from 'commander'
import { z } from 'zod'
import { RevocationReason } from '../domain/log-entry.ts'
import { ProgramId } from '../domain/names.ts'
import { Message } from '../domain/release.ts'
import {
  does,
  example,
  group,
  keylessFlags,
  keylessShape,
  passphraseFileOption,
  registryFlags,
  registryShape,
} from './command.ts'
import type { Io } from './io.ts'

/** The commands about what nodes must not run any more. */
export function defineRevocationCommands(program: Command, io: Io): void {
  const revoke = program
    .command('revoke')
    .description('Sign that nodes must stop running a release, for good. Its bytes stay, as evidence.')
    .argument('<what>', 'namespace/name@version, or the digest of a file (by operators)')
    .option('--key <file>', 'private key of a signer of the program, or of an operator')
    .addOption(passphraseFileOption())
    .requiredOption('--reason <reason>', RevocationReason.options.join(', '))
    .requiredOption('--message <text>', 'why, for everybody who looks at it')
    .option(
      '--log-key <key...>',
      'verifier key of the logs, which must have it (else the one that is remembered)',
    )
    .option('--policy <file>', 'a trust.yaml, whose `log` says what the logs are held to')
    .option('--state <file>', 'what was seen of logs before (default: ~/.local/state/hookline/logs.json)')
    .addHelpText(
      'after',
      example(
        'hookline revoke acme/ratelimit@1.4.0 --key acme.pem --reason vulnerable --message "reads past the packet"',
        'hookline revoke acme/ratelimit@1.4.0 --keyless --reason faulty --message "drops fragments"      # in a job of a pipeline',
      ),
    )
  const shape = {
    ...{ what: z.string(), key: z.string().optional(), passphraseFile: z.string().optional() },
    ...{ reason: RevocationReason, message: Message, ...keylessShape },
    ...{
      logKey: z.array(z.string()).default([]),
      policy: z.string().optional(),
      state: z.string().optional(),
    },
  }
  does(io, registryFlags(keylessFlags(revoke)), { ...registryShape, ...shape }, async (flags, context) =>
    (await import('./revocation.ts')).revoke(flags, context),
  )
  const revocation = group(program, 'revocation', 'What nodes must not run any more.')
  const list = revocation
    .command('list')
    .description('List revocations, the newest first.')
    .argument('[program]', 'namespace/name')
    .addHelpText('after', example('hookline revocation list acme/ratelimit'))
  does(io, registryFlags(list), { ...registryShape, program: ProgramId.optional() }, async (flags, context) =>
    (await import('./revocation.ts')).listRevocations(flags, context),
  )
}
