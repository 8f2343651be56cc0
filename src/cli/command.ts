import type { Command } from 'commander'
import { z } from 'zod'
import { DomainError } from '../domain/errors.ts'
import type { Context, Io, Outcome } from './io.ts'

/** Shapes of the flags that {@link registryFlags} adds. */
export const registryShape = { url: z.string().optional(), token: z.string().optional() }

/** Flags of a command that talks to a registry. */
export const registryFlags = (command: Command): Command =>
  command
    .option('--url <url>', 'address of the registry (else HOOKLINE_URL, else the settings file)')
    .option('--token <token>', 'token of the registry (else HOOKLINE_TOKEN, else the settings file)')

/** A command that only holds others. */
export const group = (program: Command, name: string, description: string): Command =>
  program.command(name).description(description).helpCommand(false)

/** Shapes of the flags that {@link trustFlags} adds. */
export const trustShape = { signer: z.array(z.string()).default([]), policy: z.string().optional() }

/** Flags of a command that checks who signed. */
export const trustFlags = (command: Command): Command =>
  command
    .option('--signer <key...>', 'accepted signers: public key files or fingerprints')
    .option('--policy <trust.yaml>', 'accept whom this trust policy accepts')

/** Seconds written as 90, 90s, 15m, 12h or 30d. */
export const Duration = z
  .string()
  .regex(/^[0-9]{1,7}[smhd]?$/, 'give a time such as 90s, 15m, 12h or 30d')
  .transform((text) => Number.parseInt(text, 10) * (SECONDS[text.at(-1) ?? ''] ?? 1))
const SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** A whole number, at least 1. */
export const Count = z
  .string()
  .regex(/^[1-9][0-9]{0,14}$/, 'give a whole number')
  .transform(Number)

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
  return command.option('--json', 'print one JSON document').action(async () => {
    const { json, ...given } = flagsOf(command)
    const context: Context = {
      io,
      json: json === true,
      progress: (line) => {
        if (json !== true) io.note(`${line}\n`)
      },
    }
    const outcome = await run(parseFlags(z.object(shape), given), context)
    if (outcome === undefined) return
    io.write(context.json ? `${JSON.stringify(outcome.json)}\n` : `${outcome.text}\n`)
  })
}

/** Arguments under their names together with the flags. */
function flagsOf(command: Command): Record<string, unknown> {
  const values: Record<string, unknown> = { ...command.opts() }
  for (const [at, argument] of command.registeredArguments.entries())
    values[argument.name()] = command.processedArgs[at]
  return values
}

function parseFlags<T extends z.ZodType>(schema: T, given: unknown): z.output<T> {
  const parsed = schema.safeParse(given)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const name = String(issue?.path[0] ?? '').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  throw new DomainError('usage', `${name}: ${issue?.message ?? 'does not fit'}`)
}

/** The end of a command's help. */
export const example = (...lines: string[]): string =>
  `\n${lines.length === 1 ? 'Example' : 'Examples'}:\n${lines.map((line) => `  ${line}`).join('\n')}`
