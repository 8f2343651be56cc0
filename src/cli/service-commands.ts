import type { Command } from 'commander'
import { z } from 'zod'
import type { Labels } from '../domain/function.ts'
import type { HostReport } from '../domain/host-check.ts'
import { LIMITS } from '../domain/limits.ts'
import type { VerifiedNode } from '../domain/running.ts'
import { does, durationOrNever, example, LabelList, passphraseFileOption } from './command.ts'
import type { Context, Io } from './io.ts'
import type { PassphraseFlags } from './key-file.ts'

/** Flags of `hookline serve`. */
interface ServeFlags {
  readonly data?: string | undefined
  readonly host: string
  readonly port: number
  /** Make a new token for the first administrator, whose old ones may be lost. */
  readonly newAdminToken: boolean
}

/** Flags of `hookline agent`. */
export interface AgentFlags {
  readonly registry?: string | undefined
  readonly joinToken?: string | undefined
  /** A file that holds the join token. */
  readonly joinTokenFile?: string | undefined
  readonly state: string
  readonly trust: string
  readonly name?: string | undefined
  readonly labels: Labels
  readonly netns?: string | undefined
  readonly bpffs: string
  /** Seconds after which a change that cut the node off from its registry is taken back; 0: never. */
  readonly confirm: number
  /** Seconds after which the node replaces its key; 0: never. */
  readonly keyAge: number
  /** Where metrics are served; undefined: nowhere. */
  readonly metrics?: { readonly host: string; readonly port: number } | undefined
  /** Replace the node's key and end, rather than run. */
  readonly rotateKey: boolean
  /** Detach everything and end, rather than run. */
  readonly detach: boolean
}

/** Flags of `hookline doctor`. */
export interface DoctorFlags {
  readonly netns?: string | undefined
  readonly bpffs: string
}

/** Flags of `hookline verify --running`. */
export interface VerifyRunningFlags {
  readonly state: string
  readonly trust: string
  readonly bpffs: string
}

/** Flags of `hookline witness`. */
export interface WitnessFlags extends PassphraseFlags {
  readonly key: string
  /** Under which it signs. */
  readonly name: string
  /** Verifier keys of the logs that it signs. */
  readonly log: readonly string[]
  /** Verifier keys whose statements lead over to logs that were begun anew. */
  readonly recoveryKey: readonly string[]
  readonly listen: { readonly host: string; readonly port: number }
  readonly state: string
}

/** The services, which only a composition root can build. */
export interface Services {
  serve(flags: ServeFlags, context: Context): Promise<void>
  witness(flags: WitnessFlags, context: Context): Promise<void>
  agent(flags: AgentFlags, context: Context): Promise<void>
  doctor(flags: DoctorFlags): Promise<HostReport>
  verifyRunning(flags: VerifyRunningFlags): Promise<VerifiedNode>
}

/** The commands that use more of a machine than files and a registry: those that keep running, and the doctor. */
export function defineServiceCommands(program: Command, io: Io, services: Services): void {
  const serve = program
    .command('serve')
    .summary('Run a registry.')
    .description(
      'Run a registry with its own database and files in one directory. With DATABASE_URL set, its database is the PostgreSQL that it names; with HOOKLINE_S3_ENDPOINT, its files are in a bucket.',
    )
    .option(
      '--data <directory>',
      'where everything is kept (default: /var/lib/hookline, without root ~/.local/share/hookline)',
    )
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on, 0 for any', '7070')
    .option('--new-admin-token', 'make and show a new token of account "admin", when all are lost', false)
    .addHelpText('after', example('hookline serve --data /srv/hookline --port 7070'))
  const serveShape = { data: z.string().optional(), host: z.string(), port: Port }
  const newAdminToken = z.boolean().default(false)
  does(io, serve, { ...serveShape, newAdminToken }, async (flags, context) => {
    await services.serve(flags, context)
    return undefined
  })

  const agent = program
    .command('agent')
    .summary('Run the node agent.')
    .description(
      'Run the agent of this node: fetch what it is assigned, verify it, and chain it on its interfaces.',
    )
    .option('--registry <url>', 'address of the registry (remembered once the node has joined)')
    .option(
      '--join-token-file <file>',
      'file with the token to join by, the first time (else HOOKLINE_JOIN_TOKEN)',
    )
    .option('--join-token <token>', 'the token itself, which other users see in the list of processes')
    .option('--state <directory>', 'identity, last orders and objects', '/var/lib/hookline-agent')
    .option('--trust <file>', 'trust policy of this node', '/etc/hookline/trust.yaml')
    .option('--name <name>', 'name of this node (default: its host name)')
    .option('--label <key=value...>', 'labels that functions select nodes by')
    .option('--netns <name>', 'network namespace to work in (default: the own one)')
    .option('--bpffs <path>', 'BPF file system', '/sys/fs/bpf')
    .option(
      '--confirm <seconds>',
      'take a change back when the registry does not answer within this time after it; 0: never',
      String(LIMITS.agent_confirm_ms / 1000),
    )
    .option(
      '--key-age <time>',
      'replace the key of this node when it is so old; 0: never',
      `${LIMITS.node_key_age_s / 86_400}d`,
    )
    .option('--metrics <host:port>', 'serve metrics at /metrics there, such as 127.0.0.1:7076')
    .option('--rotate-key', 'replace the key of this node now, and end; what runs goes on', false)
    .option('--detach', 'detach everything that this agent attached, and end', false)
    .addHelpText(
      'after',
      example('hookline agent --registry https://registry.example --join-token-file token --label role=edge'),
    )
  const shape = {
    registry: z.string().optional(),
    joinToken: z.string().optional(),
    joinTokenFile: z.string().optional(),
    state: z.string(),
    trust: z.string(),
    name: z.string().optional(),
    label: LabelList,
    netns: z.string().optional(),
    bpffs: z.string(),
    confirm: Seconds,
    keyAge: durationOrNever(...KEY_AGE_S),
    metrics: Listen.optional(),
    rotateKey: z.boolean(),
    detach: z.boolean(),
  }
  does(io, agent, shape, async ({ label, ...flags }, context) => {
    await services.agent({ ...flags, labels: label }, context)
    return undefined
  })

  defineWitness(program, io, services)

  const doctor = program
    .command('doctor')
    .summary('Say whether the agent can run here.')
    .description(
      'Find out by trying what this host has and lacks to run the agent. Nothing is changed, and no interface is touched: ' +
        'what has to be attached is attached in a network namespace of its own that is gone afterwards. ' +
        'The exit code is 0 when the agent can run here, else 1.',
    )
    .option('--netns <name>', 'network namespace whose interfaces are shown (default: the own one)')
    .option('--bpffs <path>', 'BPF file system', '/sys/fs/bpf')
    .addHelpText('after', example('hookline doctor', 'hookline doctor --json'))
  does(io, doctor, { netns: z.string().optional(), bpffs: z.string() }, async (flags, context) =>
    (await import('./doctor.ts')).doctor(await services.doctor(flags), context),
  )
}

function defineWitness(program: Command, io: Io, services: Services): void {
  const witness = program
    .command('witness')
    .summary('Run a witness of logs.')
    .description(
      'Run a witness: it cosigns checkpoints of the logs that it knows, of each only such as continue the ones before, and keeps ' +
        'what it signed in a directory. It needs an Ed25519 key of its own, and prints its verifier key.',
    )
    .requiredOption('--key <file>', 'private key that signs (hookline keygen --algorithm ed25519)')
    .addOption(passphraseFileOption())
    .requiredOption('--name <name>', 'the name it signs under, such as witness.example.org/w1')
    .requiredOption('--log <key...>', 'verifier keys of the logs, as `hookline log show` prints them')
    .option(
      '--recovery-key <key...>',
      'verifier keys whose statements lead over to logs that were begun anew after a restore',
    )
    .option('--listen <host:port>', 'where to listen, port 0 for any', '127.0.0.1:7075')
    .requiredOption(
      '--state <directory>',
      'where it keeps what it signed: never lose it, never restore an old one',
    )
    .addHelpText(
      'after',
      example(
        'hookline witness --key w1.pem --name w1.example.org --log "$CATALOG_KEY" "$REVOCATIONS_KEY" --state /var/lib/w1',
      ),
    )
  const shape = {
    key: z.string(),
    passphraseFile: z.string().optional(),
    name: z.string(),
    log: z.array(z.string()).min(1),
    recoveryKey: z.array(z.string()).default([]),
    listen: Listen,
    state: z.string(),
  }
  does(io, witness, shape, async (flags, context) => {
    await services.witness(flags, context)
    return undefined
  })
}

const Listen = z
  .string()
  .regex(/^(\[[0-9a-fA-F:.]+\]|[^:\s]+):[0-9]{1,5}$/, 'give an address and a port, such as 127.0.0.1:7075')
  .transform((text) => {
    const at = text.lastIndexOf(':')
    return { host: text.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(text.slice(at + 1)) }
  })
  .refine(({ port }) => port <= 65_535, 'give a port up to 65535')

const Port = z
  .string()
  .regex(/^[0-9]{1,5}$/, 'give a port number')
  .transform(Number)
  .pipe(z.int().max(65_535))

/** Bounds of `--key-age`. */
const KEY_AGE_S = [LIMITS.node_key_age_min_s, LIMITS.node_key_age_most_s] as const

const Seconds = z
  .string()
  .regex(/^[0-9]{1,4}$/, 'give a number of seconds, at most 3600')
  .transform(Number)
  .pipe(z.int().max(3600))
