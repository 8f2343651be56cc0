import { type Command, CommanderError, Option } from 'commander'
import { z } from 'zod'
import { DomainError } from '../domain/errors.ts'
import { Labels } from '../domain/function.ts'
import type { Context, Io, Outcome } from './io.ts'
import { durationText, jsonText, shown } from './terminal.ts'

/** Shapes of the flags that {@link registryFlags} adds. */
export const registryShape = {
  url: z.string().optional(),
  token: z.string().optional(),
  tokenFile: z.string().optional(),
}

/** Flags of a command that talks to a registry. */
export const registryFlags = (command: Command): Command =>
  command
    .option('--url <url>', 'address of the registry (else HOOKLINE_URL, else the settings file)')
    .option('--token-file <file>', 'file with the token (else HOOKLINE_TOKEN, else the settings file)')
    .option('--token <token>', 'the token itself, which other users see in the list of processes')

/** A command that only holds others. */
export const group = (program: Command, name: string, description: string): Command =>
  program.command(name).description(description).helpCommand(false)

/** A whole number, at least 1. */
export const Count = z
  .string()
  .regex(/^[1-9][0-9]{0,14}$/, 'give a whole number from 1')
  .transform(Number)

/** Shapes of the flags that {@link trustFlags} adds. */
export const trustShape = {
  signer: z.array(z.string()).default([]),
  minSigners: Count.optional(),
  policy: z.string().optional(),
  ...{ identity: z.string().optional(), issuer: z.string().optional(), trustedRoot: z.string().optional() },
}

/** Flags of a command that checks who signed. */
export const trustFlags = (command: Command): Command =>
  command
    .option('--signer <key...>', 'accepted signers: public key files or fingerprints')
    .option(
      '--identity <identity>',
      'accept this identity, whose certificate --issuer and --trusted-root vouch for',
    )
    .option('--issuer <url>', 'who vouches for the identity')
    .option('--trusted-root <file>', 'authorities of certificates and timestamps, in Sigstore’s form')
    .option('--min-signers <count>', 'how many of them must have signed')
    .option('--policy <trust.yaml>', 'accept whom this trust policy accepts')

/** Shapes of the flags that {@link signingFlags} adds. */
export const signingShape = {
  key: z.array(z.string()).default([]),
  ...{ passphraseFile: z.string().optional(), signerCommand: z.string().optional() },
  publicKey: z.string().optional(),
}

/** The flag of every command that reads a private key. */
export const passphraseFileOption = (): Option =>
  new Option(
    '--passphrase-file <file>',
    'passphrase of an encrypted key (else HOOKLINE_KEY_PASSPHRASE, else it is asked for)',
  )

/** Flags of a command that signs releases by keys. */
export const signingFlags = (command: Command): Command =>
  command
    .option('--key <file>', 'private key that signs; may be given several times', collected)
    .addOption(passphraseFileOption())
    .option('--signer-command <command>', 'a command that signs what it gets on standard input')
    .option('--public-key <file>', 'public key of --signer-command')

/** The values of a flag that is given several times. */
const collected = (value: string, before: readonly string[] = []): string[] => [...before, value]

/** Seconds written as 90, 90s, 15m, 12h or 30d, from `min_s` to `max_s`. */
export const durationWithin = (min_s: number, max_s: number): z.ZodType<number> =>
  Duration.refine((time_s) => time_s >= min_s && time_s <= max_s, `give a time ${withinText(min_s, max_s)}`)
/** The same, or 0, which stands for never. */
export const durationOrNever = (min_s: number, max_s: number): z.ZodType<number> =>
  Duration.refine(
    (time_s) => time_s === 0 || (time_s >= min_s && time_s <= max_s),
    `give a time ${withinText(min_s, max_s)}, or 0 for never`,
  )
/** Bounds of a time, for help and messages. */
export const withinText = (min_s: number, max_s: number): string =>
  `from ${durationText(min_s)} to ${durationText(max_s)}`
const Duration = z
  .string()
  .regex(/^[0-9]{1,7}[smhd]?$/, 'give a time such as 90s, 15m, 12h or 30d')
  .transform((text) => Number.parseInt(text, 10) * (SECONDS[text.at(-1) ?? ''] ?? 1))
const SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** Code of the error by which a command whose bad news are told ends the run; its exit code. */
export const FAILED = 'hookline.failed'
const [EXIT_FAILED, EXIT_REFUSED] = [1, 3]

/**
 * Makes a command do something: its arguments and flags, by their camel-case names, are parsed by `shape`, and what `run`
 * finds out is written as text, or with --json as one document. `run` imports its module, so that no command pays for another.
 */
export function does<T extends z.ZodRawShape>(
  io: Io,
  command: Command,
  shape: T,
  run: (flags: z.output<z.ZodObject<T>>, context: Context) => Promise<Outcome | undefined>,
): Command {
  // a switch is off unless it is given: its value stays, and the help does not say so
  for (const option of command.options) if (option.defaultValue === false) option.defaultValue = undefined
  return command.option('--json', 'print one JSON document').action(async () => {
    const { json, ...given } = flagsOf(command)
    const context: Context = {
      io,
      json: json === true,
      progress: (line) => {
        if (json !== true) io.note(`${shown(line)}\n`)
      },
    }
    const outcome = await run(parseFlags(command, z.object(shape), given), context)
    if (outcome === undefined) return
    io.write(context.json ? `${jsonText(outcome.json)}\n` : `${shown(outcome.text)}\n`)
    if (outcome.refused === true) throw new CommanderError(EXIT_REFUSED, FAILED, '')
    if (outcome.failed === true) throw new CommanderError(EXIT_FAILED, FAILED, '')
  })
}

/** Arguments under their names together with the flags. */
function flagsOf(command: Command): Record<string, unknown> {
  const values: Record<string, unknown> = { ...command.opts() }
  for (const [at, argument] of command.registeredArguments.entries())
    values[argument.name()] = command.processedArgs[at]
  return values
}

function parseFlags<T extends z.ZodType>(command: Command, schema: T, given: unknown): z.output<T> {
  const parsed = schema.safeParse(given, { error: plainMessage })
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const name = String(issue?.path[0] ?? '')
  const option = command.options.find((candidate) => candidate.attributeName() === name)
  throw new DomainError('usage', `${option?.long ?? `<${name}>`}: ${issue?.message ?? 'does not fit'}`)
}

/** What a value should be, in the words of a command line, where its schema does not say it itself. */
function plainMessage(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_value') return `give one of ${issue.values.map(String).join(', ')}`
  if (issue.code !== 'invalid_format') return undefined
  if (issue.format === 'uuid') return 'give an id, whole as the list shows it'
  return issue.format === 'url' ? 'give an address such as https://ci.example.org/hook' : undefined
}

/** The end of a command's help. */
export const example = (...lines: string[]): string =>
  `\n${lines.length === 1 ? 'Example' : 'Examples'}:\n${lines.map((line) => `  ${line}`).join('\n')}`

const Address = z.url({ protocol: /^https?$/ }).optional()

/** Flags by which a pipeline's job signs by its identity. */
export const keylessShape = {
  ...{ keyless: z.boolean().default(false), fulcioUrl: Address, tsaUrl: Address, rekorUrl: Address },
}

/** Adds them to a command. */
export const keylessFlags = (command: Command): Command =>
  command
    .option('--keyless', 'sign by the identity of the pipeline’s job that this is', false)
    .option('--fulcio-url <url>', 'with --keyless: who certifies the identity')
    .option('--tsa-url <url>', 'with --keyless: who says when it was signed')
    .option('--rekor-url <url>', 'with --keyless: a transparency log to enter it in')

const labelKey = (pair: string): string => pair.slice(0, pair.indexOf('='))

/** Labels as they are typed: `key=value`, each once. */
export const LabelList = z
  .array(z.string().regex(/^[^=]+=[^=]*$/, 'give a label as key=value'))
  .default([])
  .refine((pairs) => new Set(pairs.map(labelKey)).size === pairs.length, 'give each label once')
  .transform((pairs) => Object.fromEntries(pairs.map((pair) => pair.split('=', 2))))
  .pipe(Labels)
