import type { Command } from 'commander'
import { z } from 'zod'
import { HOOKS } from '../domain/hook.ts'
import { Name } from '../domain/names.ts'
import { SearchRequest, SearchSort } from '../domain/search.ts'
import {
  Count,
  does,
  example,
  keylessFlags,
  keylessShape,
  registryFlags,
  registryShape,
  signingFlags,
  signingShape,
  trustFlags,
  trustShape,
} from './command.ts'
import type { Io } from './io.ts'
import type { Services } from './service-commands.ts'
import { requireVerifyFlags } from './verify-flags.ts'

/** Where an agent has what `verify --running` looks at; no defaults of flags, so that it shows which are given. */
const [STATE, TRUST, BPFFS] = ['/var/lib/hookline-agent', '/etc/hookline/trust.yaml', '/sys/fs/bpf'] as const

/** The commands of those who write, publish and check releases. */
export function defineReleaseCommands(
  program: Command,
  io: Io,
  services: Pick<Services, 'verifyRunning'>,
): void {
  const keygen = program
    .command('keygen')
    .summary('Make a key pair.')
    .description('Make a key pair: <out>.pem, readable by you only, and <out>.pub.pem.')
    .option('--out <path>', 'a directory, or the beginning of both file names', 'hookline')
    .option('--algorithm <name>', 'p256 or ed25519', 'p256')
    .option('--encrypt', 'encrypt the private key by a passphrase', false)
    .option('--passphrase-file <file>', 'the passphrase (else HOOKLINE_KEY_PASSPHRASE, else it is asked for)')
    .addHelpText(
      'after',
      example('hookline keygen --out keys/acme', 'hookline keygen --out keys/acme --encrypt'),
    )
  const keygenShape = {
    ...{ out: z.string().min(1), algorithm: z.enum(['p256', 'ed25519']) },
    ...{ encrypt: z.boolean().default(false), passphraseFile: z.string().optional() },
  }
  does(io, keygen, keygenShape, async (flags, context) =>
    (await import('./keygen.ts')).keygen(flags, context),
  )

  const init = program
    .command('init')
    .summary('Draft hookline.yaml for objects.')
    .description('Draft hookline.yaml next to the objects of a new program, from what the objects tell.')
    .argument('<objects...>', 'BPF objects in one directory')
    .requiredOption('--namespace <name>', 'where the program will be published')
    .addHelpText('after', example('hookline init ratelimit/ratelimit.bpf.o --namespace acme'))
  does(io, init, { objects: z.array(z.string()), namespace: Name }, async (flags) =>
    (await import('./init.ts')).init(flags),
  )

  const inspect = program
    .command('inspect')
    .summary('Show what a BPF object holds.')
    .description(
      'Show the programs, maps and configuration of a BPF object. No kernel and no root is needed.',
    )
    .argument('<object>', 'a BPF object')
    .addHelpText('after', example('hookline inspect ratelimit.bpf.o'))
  does(io, inspect, { object: z.string() }, async (flags, context) =>
    (await import('./inspect.ts')).inspect(flags, context),
  )

  const publish = program
    .command('publish')
    .summary('Sign and publish a release.')
    .description(
      'Check, sign and upload the release in a directory: hookline.yaml and the files that it names.',
    )
    .argument('<directory>', 'where hookline.yaml lies')
    .option('--provenance <file>', 'a Sigstore bundle with the SLSA v1 provenance of its objects')
    .option('--private', 'if the program is new: for members, and for nodes that run it, only', false)
    .option('--dry-run', 'have it checked, and publish nothing', false)
    .option('--unsigned', 'leave the signature out; the registry refuses that', false)
    .addHelpText(
      'after',
      example(
        'hookline publish ./ratelimit --key keys/acme.pem',
        'hookline publish ./ratelimit --keyless      # in a job of a pipeline',
      ),
    )
  does(
    io,
    registryFlags(keylessFlags(signingFlags(publish))),
    {
      ...{ ...registryShape, ...signingShape, directory: z.string(), provenance: z.string().optional() },
      ...{ unsigned: z.boolean().default(false), private: z.boolean().default(false) },
      dryRun: z.boolean().default(false),
      ...keylessShape,
    },
    async (flags, context) => (await import('./publish.ts')).publish(flags, context),
  )

  const cosign = program
    .command('cosign')
    .summary('Add a further signature to a release.')
    .description(
      'Sign a published release as a further signer of its namespace: nodes may ask for more signers than one.',
    )
    .argument('<ref>', 'namespace/name@version')
    .option('--bundle <file>', 'a signature that was made elsewhere, in place of --key')
    .addHelpText(
      'after',
      example('hookline cosign acme/ratelimit@1.4.0 --key keys/review.pem --signer keys/acme.pub.pem'),
    )
  does(
    io,
    registryFlags(trustFlags(signingFlags(cosign))),
    { ...registryShape, ...signingShape, ...trustShape, ref: z.string(), bundle: z.string().optional() },
    async (flags, context) => (await import('./cosign.ts')).cosign(flags, context),
  )

  const search = program
    .command('search')
    .summary('Find programs.')
    .description(
      'Find programs by words, which may be mistyped, and by filters. Several values of a filter are alternatives.',
    )
    .argument('[words...]', 'what is looked for; without words everything')
    .option('--hook <hooks...>', HOOKS.join(', '))
    .option('--permission <names...>', 'what its bytecode can do, such as drop; none: only let packets pass')
    .option('--license <licenses...>', 'SPDX expressions')
    .option('--namespace <names...>', 'namespaces')
    .option('--signed <how...>', 'key or identity')
    .option('--verified <yes|no>', 'of namespaces that proved whose they are')
    .option('--kernel <version>', 'what runs on this kernel, such as 5.15')
    .option('--sort <order>', SearchSort.options.join(', '), 'relevance')
    .option('--limit <count>', 'how many', '20')
    .option('--cursor <cursor>', 'the next page, as the page before names it')
    .addHelpText('after', example('hookline search rate limit --hook xdp --sort downloads'))
  const { hook, permission, license, namespace, signed, verified, kernel, sort, cursor } = SearchRequest.shape
  does(
    io,
    registryFlags(search),
    {
      ...{
        ...registryShape,
        words: z.array(z.string()),
        hook,
        permission,
        license,
        namespace,
        signed,
        verified: z.preprocess((given) => (typeof given === 'string' ? [given] : given), verified),
        kernel,
        sort,
        cursor,
      },
      limit: Count.pipe(SearchRequest.shape.limit.unwrap()),
    },
    async (flags, context) => (await import('./search.ts')).search(flags, context),
  )

  const verify = program
    .command('verify')
    .summary('Check who signed a release, and that its files are the signed ones.')
    .description(
      'Check a release as a node does: one of the registry, or one in a directory. A policy that names a log has the registry asked for ' +
        'the proof, also for a directory. With --running, on a node and as root: ' +
        'check that what its kernel runs is what signed orders have it run, and what signed releases make; no network is needed.',
    )
    .argument('[target]', 'namespace/name@version, @range, or without either the newest; or a directory')
    .option(
      '--bundle <file>',
      'Sigstore bundle of the release in the directory <target> (default: its bundle.json)',
    )
    .option('--log-key <key...>', 'demand that it is in the registry’s log, which this verifier key signs')
    .option('--offline', 'leave out the log that a policy asks for', false)
    .option('--running', 'verify what the agent of this host runs, in place of a release', false)
    .option('--state <directory>', `with --running: state directory of the agent (default: ${STATE})`)
    .option('--trust <file>', `with --running: trust policy of the node (default: ${TRUST})`)
    .option('--bpffs <path>', `with --running: BPF file system (default: ${BPFFS})`)
    .addHelpText(
      'after',
      example(
        'hookline verify acme/ratelimit@1.4.0 --signer keys/acme.pub.pem',
        'hookline verify ./pulled --policy trust.yaml',
        'hookline verify --running',
      ),
    )
  does(
    io,
    registryFlags(trustFlags(verify)),
    {
      ...{ ...registryShape, ...trustShape, target: z.string().optional(), bundle: z.string().optional() },
      ...{ logKey: z.array(z.string()).default([]), running: z.boolean().default(false) },
      offline: z.boolean().default(false),
      ...{ state: z.string().optional(), trust: z.string().optional(), bpffs: z.string().optional() },
    },
    async ({ target, running, ...flags }, context) => {
      requireVerifyFlags({ ...flags, target, running })
      if (target !== undefined) return (await import('./verify.ts')).verify({ ...flags, target }, context)
      const { state = STATE, trust = TRUST, bpffs = BPFFS } = flags
      const found = await services.verifyRunning({ ...flags, state, trust, bpffs })
      return (await import('./verify-running.ts')).showRunning(found, context)
    },
  )

  const show = program
    .command('show')
    .summary('Show a program or a release.')
    .description('Show the versions of a program, or with @version (or a range) one release.')
    .argument('<ref>', 'namespace/name, or namespace/name@version')
    .addHelpText('after', example('hookline show acme/ratelimit@^1.4'))
  does(io, registryFlags(show), { ...registryShape, ref: z.string() }, async (flags, context) =>
    (await import('./show.ts')).show(flags, context),
  )

  const diff = program
    .command('diff')
    .summary('Compare two releases of a program.')
    .description('Say what is different between two releases: what they can do, maps, configuration, files.')
    .argument('<from>', 'namespace/name@version')
    .argument('<to>', 'namespace/name@version')
    .addHelpText('after', example('hookline diff acme/ratelimit@1.3.0 acme/ratelimit@1.4.0'))
  does(
    io,
    registryFlags(diff),
    { ...registryShape, from: z.string(), to: z.string() },
    async (flags, context) => (await import('./diff.ts')).diff(flags, context),
  )

  const pull = program
    .command('pull')
    .summary('Download a release, verified.')
    .description('Download a release into a directory. Nothing is written before it is verified.')
    .argument('<ref>', 'namespace/name@version, @range, or without either the newest')
    .requiredOption('--out <directory>', 'where to write; existing files are not overwritten')
    .option('--unverified', 'write untrusted bytes, to look at them', false)
    .addHelpText('after', example('hookline pull acme/ratelimit@^1.4 --out ./pulled --policy trust.yaml'))
  does(
    io,
    registryFlags(trustFlags(pull)),
    { ...registryShape, ...trustShape, ref: z.string(), out: z.string(), unverified: z.boolean() },
    async (flags, context) => (await import('./pull.ts')).pull(flags, context),
  )
}
