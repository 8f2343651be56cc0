import type { Command } from 'commander'

/** What the commands are for, in the order in which the help tells it. */
export const COMMAND_GROUPS: Readonly<Record<string, readonly string[]>> = {
  'Write and publish programs:': [
    ...['keygen', 'init', 'inspect', 'publish', 'cosign', 'channel', 'visibility', 'deprecate'],
  ],
  'Find and check programs:': ['search', 'show', 'diff', 'verify', 'pull', 'report'],
  'Withdraw releases:': ['yank', 'unyank', 'delete', 'revoke', 'revocation'],
  'Run programs on nodes:': ['function', 'status', 'node', 'agent', 'doctor'],
  'Decide what to believe:': ['trust', 'log', 'witness'],
  'Say who may do what:': [
    ...['namespace', 'member', 'key', 'identity', 'trusted-publisher', 'token', 'account'],
  ],
  'Run a registry:': ['serve', 'admin', 'audit', 'webhook'],
  'Use this command line:': ['login', 'logout', 'whoami', 'completion'],
}

/** Lists the commands in the help by what they are for; one that no group names stands above them, under `Commands:`. */
export function groupCommands(program: Command): void {
  const headings = Object.keys(COMMAND_GROUPS)
  for (const command of program.commands) {
    const heading = headings.find((one) => COMMAND_GROUPS[one]?.includes(command.name()))
    if (heading !== undefined) command.helpGroup(heading)
  }
  program.configureHelp({
    ...program.configureHelp(),
    groupItems: (_, visible, headingOf) =>
      Map.groupBy(
        visible.toSorted((a, b) => headings.indexOf(headingOf(a)) - headings.indexOf(headingOf(b))),
        headingOf,
      ),
  })
}
