import type { Command } from 'commander'
import { z } from 'zod'
import { LIMITS } from '../domain/limits.ts'
import { JoinLabels } from '../domain/token.ts'
import {
  Count,
  does,
  durationWithin,
  example,
  LabelList,
  registryFlags,
  registryShape,
  withinText,
} from './command.ts'
import type { Io } from './io.ts'

const JOIN_TOKEN_TTL_S = [LIMITS.token_ttl_min_s, LIMITS.join_token_ttl_s] as const

/** The commands about tokens by which nodes join. */
export function defineJoinTokenCommands(node: Command, io: Io): void {
  const token = node
    .command('token')
    .description('Make a token by which nodes may join. Its secret is shown this once.')
    .option('--ttl <time>', `how long it lasts, ${withinText(...JOIN_TOKEN_TTL_S)} (default: 24h)`)
    .option('--uses <count>', `how many nodes may join by it, at most ${LIMITS.join_token_uses} (default: 1)`)
    .option('--label <key=value...>', 'a label that its nodes may have; without any, they have none')
    .option('--free-label <key...>', "a label whose value they choose; '*': any label")
    .addHelpText(
      'after',
      example('hookline node token --ttl 1h --uses 20 --label role=edge --free-label rack'),
    )
  does(
    io,
    registryFlags(token),
    {
      ...registryShape,
      ttl: durationWithin(...JOIN_TOKEN_TTL_S).optional(),
      uses: Count.pipe(
        z.int().max(LIMITS.join_token_uses, `give at most ${LIMITS.join_token_uses}`),
      ).optional(),
      label: LabelList,
      freeLabel: JoinLabels.shape.freeLabels,
    },
    async (flags, context) => (await import('./join-tokens.ts')).createJoinToken(flags, context),
  )
  const list = node
    .command('tokens')
    .description('List the tokens by which nodes still can join, the newest first, without their secrets.')
    .addHelpText('after', example('hookline node tokens'))
  does(io, registryFlags(list), registryShape, async (flags, context) =>
    (await import('./join-tokens.ts')).listJoinTokens(flags, context),
  )
  const revoke = node
    .command('token-revoke')
    .description('End a token: no node joins by it any more. Those that did stay.')
    .argument('<id>', 'its id, as `node tokens` shows it')
    .addHelpText('after', example('hookline node token-revoke 0197f3a2-7c1e-7b04-9d55-3f2f3e1c9a10'))
  const shape = { ...registryShape, id: z.uuid('give an id, whole as the list shows it') }
  does(io, registryFlags(revoke), shape, async (flags, context) =>
    (await import('./join-tokens.ts')).revokeJoinToken(flags, context),
  )
}
