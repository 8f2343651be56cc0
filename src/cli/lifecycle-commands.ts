import type { Command } from 'commander'
import { z } from 'zod'
import { ProgramId } from '../domain/names.ts'
import { ChannelName, Message, ReportReason, Visibility } from '../domain/release.ts'
import { does, example, group, registryFlags, registryShape } from './command.ts'
import type { Io } from './io.ts'

const RELEASE = 'namespace/name@version'
const EITHER = 'namespace/name, or namespace/name@version'

/** The commands about what becomes of releases after they are published. */
export function defineLifecycleCommands(program: Command, io: Io): void {
  const visibility = program
    .command('visibility')
    .description('Say who may read a program: everybody, or members and the nodes that run it.')
    .argument('<program>', 'namespace/name')
    .argument('<who>', Visibility.options.join(' or '))
    .addHelpText('after', example('hookline visibility acme/ratelimit private'))
  const visibilityShape = { ...registryShape, program: ProgramId, who: Visibility }
  does(io, registryFlags(visibility), visibilityShape, async ({ program: name, ...flags }, context) =>
    (await import('./lifecycle.ts')).setVisibility({ ...flags, name }, context),
  )
  const shape = { ...registryShape, ref: z.string() }
  const messageShape = { ...shape, message: Message }
  const message = (command: Command): Command =>
    command.requiredOption('--message <text>', 'why, for everybody who looks at it')

  const yank = program
    .command('yank')
    .description(
      'Leave a release out of ranges wherever another one fits. Its bytes stay, an exact version still means it.',
    )
    .argument('<ref>', RELEASE)
    .addHelpText('after', example('hookline yank acme/ratelimit@1.4.0 --message "drops IPv6 fragments"'))
  does(io, registryFlags(message(yank)), messageShape, async (flags, context) =>
    (await import('./lifecycle.ts')).yank(flags, context),
  )
  const unyank = program
    .command('unyank')
    .description('Offer a yanked release again.')
    .argument('<ref>', RELEASE)
    .addHelpText('after', example('hookline unyank acme/ratelimit@1.4.0'))
  does(io, registryFlags(unyank), shape, async (flags, context) =>
    (await import('./lifecycle.ts')).yank({ ...flags, message: undefined }, context),
  )
  const admin = group(program, 'admin', 'What only administrators do.')
  for (const [deprecate, what, how, on] of [
    ['deprecate', 'deprecation', 'Say that there is something better than a program or a release.', program],
    ['quarantine', 'quarantine', 'Take a program or a release away from everybody but its namespace.', admin],
  ] as const) {
    const command = on
      .command(deprecate)
      .description(how)
      .argument('<ref>', EITHER)
      .option('--message <text>', 'why, for everybody who looks at it')
      .option('--undo', 'take it back', false)
    const path = on === program ? deprecate : `admin ${deprecate}`
    command.addHelpText('after', example(`hookline ${path} acme/ratelimit@1.3.0 --message "use 1.4.0"`))
    does(
      io,
      registryFlags(command),
      { ...shape, message: Message.optional(), undo: z.boolean().default(false) },
      async ({ undo, ...flags }, context) => {
        const { note, requireMessage } = await import('./lifecycle.ts')
        return note({ ...flags, message: requireMessage(flags.message, undo) }, what, context)
      },
    )
  }
  const channel = group(program, 'channel', 'Channels: movable names of releases, such as stable.')
  const set = channel
    .command('set')
    .description(
      'Point a channel to a release; commands take namespace/name@channel then. Orders do not: what runs is not moved by a name.',
    )
    .argument('<ref>', RELEASE)
    .argument('<channel>', 'such as stable')
    .addHelpText('after', example('hookline channel set acme/ratelimit@1.4.0 stable'))
  does(io, registryFlags(set), { ...shape, channel: ChannelName }, async (flags, context) =>
    (await import('./lifecycle.ts')).setChannel(flags, context),
  )
  const unset = channel
    .command('remove')
    .description('Remove a channel.')
    .argument('<ref>', 'namespace/name')
    .argument('<channel>')
    .addHelpText('after', example('hookline channel remove acme/ratelimit beta'))
  does(io, registryFlags(unset), { ...shape, channel: ChannelName }, async (flags, context) =>
    (await import('./lifecycle.ts')).removeChannel(flags, context),
  )
  const remove = program
    .command('delete')
    .description(
      'Delete a release for good, within 72 hours, while nothing uses it and it is not revoked. Later, yank it.',
    )
    .argument('<ref>', RELEASE)
    .addHelpText('after', example('hookline delete acme/ratelimit@1.4.0'))
  does(io, registryFlags(remove), shape, async (flags, context) =>
    (await import('./lifecycle.ts')).deleteRelease({ ...flags, takedown: false }, context),
  )
  const report = program
    .command('report')
    .description('Report a program or a release to the administrators of the registry.')
    .argument('<ref>', EITHER)
    .requiredOption('--reason <reason>', ReportReason.options.join(', '))
    .requiredOption('--text <text>', 'what is wrong')
    .addHelpText(
      'after',
      example('hookline report acme/ratelimit --reason malware --text "sends packets home"'),
    )
  does(io, registryFlags(report), { ...shape, reason: ReportReason, text: Message }, async (flags, context) =>
    (await import('./lifecycle.ts')).report(flags, context),
  )
  defineModeration(admin, io)
}

function defineModeration(admin: Command, io: Io): void {
  const takedown = admin
    .command('takedown')
    .description('Delete a release for good, however old it is, while no function uses it.')
    .argument('<ref>', RELEASE)
    .addHelpText('after', example('hookline admin takedown acme/ratelimit@1.4.0'))
  does(io, registryFlags(takedown), { ...registryShape, ref: z.string() }, async (flags, context) =>
    (await import('./lifecycle.ts')).deleteRelease({ ...flags, takedown: true }, context),
  )
  const reports = admin
    .command('reports')
    .description('List open reports.')
    .option('--resolved', 'those that are closed', false)
    .addHelpText('after', example('hookline admin reports'))
  const listShape = { ...registryShape, resolved: z.boolean().default(false) }
  does(io, registryFlags(reports), listShape, async (flags, context) =>
    (await import('./lifecycle.ts')).listReports(flags, context),
  )
  const resolve = admin
    .command('resolve')
    .description('Close a report.')
    .argument('<id>', 'as `hookline admin reports` shows it')
    .requiredOption('--message <text>', 'what was done')
    .addHelpText('after', example('hookline admin resolve 01a2b3c4-… --message "quarantined"'))
  const resolveShape = { ...registryShape, id: z.uuid(), message: Message }
  does(io, registryFlags(resolve), resolveShape, async (flags, context) =>
    (await import('./lifecycle.ts')).resolveReport(flags, context),
  )
}
