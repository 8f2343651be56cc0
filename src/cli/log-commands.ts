import type { Command } from 'commander'
import { z } from 'zod'
import { LIMITS } from '../domain/limits.ts'
import { LogName } from '../domain/log.ts'
import {
  Count,
  does,
  durationWithin,
  example,
  group,
  passphraseFileOption,
  registryFlags,
  registryShape,
} from './command.ts'
import type { Io } from './io.ts'

const Index = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,12})$/, 'give the number of an entry')
  .transform(Number)

const trustShape = {
  logKey: z.array(z.string()).default([]),
  state: z.string().optional(),
  witness: z.array(z.string()).default([]),
  threshold: Count.optional(),
}
const freshShape = { ...trustShape, maxAge: durationWithin(1, 366 * 86_400) }

/** Flags of a command that checks a log. */
const logTrustFlags = (command: Command): Command =>
  command
    .option(
      '--log-key <key...>',
      'verifier key of the log (one is enough for both; else the one that is remembered)',
    )
    .option('--state <file>', 'what was seen before (default: ~/.local/state/hookline/logs.json)')
    .option('--witness <key...>', 'verifier keys of witnesses')
    .option('--threshold <count>', 'how many of them must have signed (default: all)')
const freshFlags = (command: Command): Command =>
  logTrustFlags(command).option(
    '--max-age <time>',
    'how old the newest checkpoint may be',
    `${LIMITS.log_fresh_s}s`,
  )

/** The commands about the transparency logs of a registry. */
export function defineLogCommands(program: Command, io: Io): void {
  const log = group(program, 'log', 'Read and check the logs in which a registry says what it did.')
  const show = log
    .command('show')
    .description('Show the logs: keys, sizes, and who signed the newest checkpoints when.')
    .option('--state <file>', 'what was seen before (default: ~/.local/state/hookline/logs.json)')
    .addHelpText('after', example('hookline log show'))
  does(io, registryFlags(show), { ...registryShape, state: z.string().optional() }, async (flags, context) =>
    (await import('./log-show.ts')).logShow(flags, context),
  )

  const entries = log
    .command('entries')
    .description('Show entries of a log in words, by default the newest.')
    .option('--log <name>', LogName.options.join(' or '), 'catalog')
    .option('--from <index>', 'the first entry to show')
    .option('--limit <count>', `how many, at most ${LIMITS.log_listed}`, '20')
    .addHelpText('after', example('hookline log entries --from 0 --limit 100'))
  does(
    io,
    registryFlags(entries),
    {
      ...registryShape,
      log: LogName,
      from: Index.optional(),
      limit: Count.pipe(z.int().max(LIMITS.log_listed)),
    },
    async (flags, context) => (await import('./log-show.ts')).logEntries(flags, context),
  )

  const proof = log
    .command('proof')
    .description('Fetch the proof that a release was logged, and check it here.')
    .argument('<ref>', 'namespace/name@version')
    .option('--out <file>', 'keep it as a file (C2SP tlog-proof) that `hookline log check` checks')
    .addHelpText('after', example('hookline log proof acme/ratelimit@1.4.0 --out ratelimit.tlog-proof'))
  does(
    io,
    registryFlags(freshFlags(proof)),
    { ...registryShape, ...freshShape, ref: z.string(), out: z.string().optional() },
    async (flags, context) => (await import('./log-proof.ts')).logProof(flags, context),
  )

  const check = log
    .command('check')
    .description('Check a proof in a file, without asking anybody. Its checkpoint may be of any age.')
    .argument('<file>', 'what `hookline log proof --out` wrote')
    .addHelpText('after', example('hookline log check ratelimit.tlog-proof --log-key "$CATALOG_KEY"'))
  does(io, logTrustFlags(check), { ...trustShape, file: z.string() }, async (flags, context) =>
    (await import('./log-proof.ts')).logCheck(flags, context),
  )

  const verify = log
    .command('verify')
    .summary('Audit a registry by its logs.')
    .description(
      'Audit a registry: every entry and tile of both logs, that they continue what was seen before, that they agree with each ' +
        'other, and that the public catalog is what the log says. The exit code is 3 when anything disagrees.',
    )
    .option('--progress', 'show how far it is, also without a terminal', false)
    .option(
      '--recovery-key <key...>',
      'verifier keys whose statements lead over to a log that was begun anew',
    )
    .addHelpText(
      'after',
      example(
        'hookline log verify --log-key "$CATALOG_KEY"',
        'hookline log verify --witness "$W1" "$W2" --threshold 1',
      ),
    )
  does(
    io,
    registryFlags(freshFlags(verify)),
    {
      ...{ ...registryShape, ...freshShape, progress: z.boolean().default(false) },
      recoveryKey: z.array(z.string()).default([]),
    },
    async (flags, context) => (await import('./log-verify.ts')).logVerify(flags, context),
  )
  defineRecovery(log, io)
}

function defineRecovery(log: Command, io: Io): void {
  const signing = (command: Command): Command =>
    command
      .requiredOption('--key <file>', 'the recovery key (hookline keygen --algorithm ed25519), kept offline')
      .addOption(passphraseFileOption())
      .requiredOption(
        '--name <name>',
        'the name under which nodes know it, such as registry.example/recovery',
      )
  const signingShape = { key: z.string(), passphraseFile: z.string().optional(), name: z.string() }
  const key = log
    .command('recovery-key')
    .description('Print the verifier key of a recovery key, for log.recovery of trust.yaml.')
    .addHelpText(
      'after',
      example('hookline log recovery-key --key recovery.pem --name registry.example/recovery'),
    )
  does(io, signing(key), signingShape, async (flags, context) =>
    (await import('./log-recover.ts')).logRecoveryKey(flags, context),
  )
  const recover = log
    .command('recover')
    .summary('Begin the logs of a restored registry anew.')
    .description(
      'Begin the logs of a registry anew that lost entries: sign which checkpoints are good and how the logs go on, and hand that in. ' +
        'Nodes that name the recovery key go over, once. It needs an administrator’s token.',
    )
    .option('--log-key <key...>', 'verifier key of the log (else the one that is remembered)')
    .option('--state <file>', 'what was seen before (default: ~/.local/state/hookline/logs.json)')
    .option('--seen <file...>', 'signed checkpoints that witnesses, nodes or auditors saw')
    .option(
      '--leave-out',
      'sign also when some of these are of neither log, and so can contradict nothing',
      false,
    )
    .option('--catalog-size <count>', 'entries up to which it is as everybody saw it (default: all it has)')
    .option('--revocations-size <count>', 'the same of the log of revocations')
    .requiredOption('--out <file>', 'where both statements are kept')
    .addHelpText(
      'after',
      example(
        'hookline log recover --key recovery.pem --name registry.example/recovery --log-key "$CATALOG_KEY" --out recovery-1.json',
      ),
    )
  const shape = {
    ...{ ...registryShape, ...signingShape, logKey: trustShape.logKey, state: trustShape.state },
    ...{ seen: z.array(z.string()).default([]), leaveOut: z.boolean(), out: z.string() },
    ...{ catalogSize: Index.optional(), revocationsSize: Index.optional() },
  }
  does(io, registryFlags(signing(recover)), shape, async (flags, context) =>
    (await import('./log-recover.ts')).logRecover(flags, context),
  )
}
