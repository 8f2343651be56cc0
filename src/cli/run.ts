import { Command, CommanderError } from 'commander'
import { z } from 'zod'
import { DomainError } from '../domain/errors.ts'
import { does, example, FAILED } from './command.ts'
import { groupCommands } from './command-groups.ts'
import { completion, SHELLS } from './completion.ts'
import { reportFailure } from './failure.ts'
import { defineFleetCommands } from './fleet-commands.ts'
import type { Io } from './io.ts'
import { defineLifecycleCommands } from './lifecycle-commands.ts'
import { defineLogCommands } from './log-commands.ts'
import { definePublisherCommands } from './publisher-commands.ts'
import { defineRegistryCommands } from './registry-commands.ts'
import { defineReleaseCommands } from './release-commands.ts'
import { defineRevocationCommands } from './revocation-commands.ts'
import { defineServiceCommands, type Services } from './service-commands.ts'
import { defineTrustCommands } from './trust-commands.ts'
import { defineWebhookCommands } from './webhook-commands.ts'

/**
 * Runs one command line (without the program's name) and gives its exit code: 0 done, 1 failed, 2 wrong usage, 3 refused
 * by trust, 4 not found, 5 the kernel refused.
 */
export async function runCli(
  argv: readonly string[],
  io: Io,
  services: Services,
  version: string,
): Promise<number> {
  let complaint = ''
  const program = buildProgram(io, services, version, (text) => {
    complaint += text
  })
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return 0
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0 // --help and --version
    if (thrown instanceof CommanderError && thrown.code === FAILED) return thrown.exitCode // all is said
    // the help of a command that only holds others, which was called without one
    if (thrown instanceof CommanderError && thrown.code === 'commander.help') io.note(`${complaint}\n`)
    return reportFailure(io, argv.includes('--json'), usageError(thrown), commandOf(program, argv))
  }
}

function buildProgram(
  io: Io,
  services: Services,
  version: string,
  writeErr: (text: string) => void,
): Command {
  const program = new Command('hookline')
    .description('A registry of signed eBPF programs, and the agent that chains them on network hooks.')
    .version(version, '--version')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.write(text), writeErr })
    .configureHelp({ helpWidth: io.columns ?? 100 })
    .addHelpText(
      'after',
      '\nSettings: --url and --token-file or --token, else HOOKLINE_URL and HOOKLINE_TOKEN, else ~/.config/hookline/config.json.\n' +
        'Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused by trust, 4 not found, 5 the kernel refused.',
    )
  defineReleaseCommands(program, io, services)
  defineLifecycleCommands(program, io)
  defineRevocationCommands(program, io)
  definePublisherCommands(program, io)
  defineRegistryCommands(program, io)
  defineWebhookCommands(program, io)
  defineLogCommands(program, io)
  defineFleetCommands(program, io)
  defineTrustCommands(program, io)
  defineServiceCommands(program, io, services)
  const complete = program
    .command('completion')
    .description('Print a script that completes commands and flags in a shell.')
    .argument('<shell>', SHELLS.join(', '))
    .addHelpText(
      'after',
      example(
        'hookline completion bash > ~/.local/share/bash-completion/completions/hookline',
        'hookline completion fish | source',
      ),
    )
  does(io, complete, { shell: z.enum(SHELLS) }, async (flags) => completion(program, flags))
  groupCommands(program)
  return program
}

/** The command that a command line is about, in full: `hookline function apply`. */
function commandOf(program: Command, argv: readonly string[]): string {
  const names = [program.name()]
  let command: Command | undefined = program
  for (const word of argv) {
    command = command.commands.find((candidate) => candidate.name() === word)
    if (command === undefined) break
    names.push(word)
  }
  return names.join(' ')
}

/** The parser's complaints in the product's words; anything else is passed on. */
function usageError(thrown: unknown): unknown {
  if (!(thrown instanceof CommanderError)) return thrown
  const message =
    thrown.code === 'commander.help'
      ? 'name a command'
      : thrown.message.replace(/^error: /, '').replace(/\n/g, ' ')
  return new DomainError('usage', message, { cause: thrown })
}
