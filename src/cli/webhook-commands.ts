import type { Command } from 'commander'
import { z } from 'zod'
import { LIMITS } from '../domain/limits.ts'
import { Name } from '../domain/names.ts'
import { EventPattern, WebhookRequest } from '../domain/webhook.ts'
import { Count, does, example, group, registryFlags, registryShape } from './command.ts'
import type { Io } from './io.ts'

const ID = '019c2f6e-5a70-7d6f-9c6b-2f4f0f1a2b3c'

/** The commands about addresses that are told of changes. */
export function defineWebhookCommands(program: Command, io: Io): void {
  const webhook = group(program, 'webhook', 'Addresses that are told of changes, signed and with retries.')
  const owned = (command: Command): Command =>
    registryFlags(
      command.option('--namespace <name>', 'of this namespace, for its owners; without it of the registry'),
    )
  const shape = { ...registryShape, namespace: Name.optional() }
  const named = { ...shape, id: z.uuid() }
  const add = webhook
    .command('add')
    .description('Have an address told of changes. Shows the secret that signs, this once.')
    .argument('<address>', 'https address')
    .option('--event <patterns...>', 'such as release.publish or member.*', ['*'])
    .addHelpText(
      'after',
      example('hookline webhook add https://ci.example.org/hook --event "release.*" --namespace acme'),
    )
  does(
    io,
    owned(add),
    { ...shape, address: WebhookRequest.shape.url, event: z.array(EventPattern) },
    async ({ event: events, ...flags }, context) =>
      (await import('./webhooks.ts')).addWebhook({ ...flags, events }, context),
  )
  const list = webhook
    .command('list')
    .description('List webhooks.')
    .addHelpText('after', example('hookline webhook list --namespace acme'))
  does(io, owned(list), shape, async (flags, context) =>
    (await import('./webhooks.ts')).listWebhooks(flags, context),
  )
  const remove = webhook
    .command('remove')
    .description('End a webhook.')
    .argument('<id>', 'as `hookline webhook list` shows it')
    .addHelpText('after', example(`hookline webhook remove ${ID} --namespace acme`))
  does(io, owned(remove), named, async (flags, context) =>
    (await import('./webhooks.ts')).removeWebhook(flags, context),
  )
  const deliveries = webhook
    .command('deliveries')
    .description('Show what a webhook was told, and what came of it.')
    .argument('<id>', 'as `hookline webhook list` shows it')
    .option('--limit <count>', 'how many', '20')
    .addHelpText('after', example(`hookline webhook deliveries ${ID} --namespace acme`))
  does(
    io,
    owned(deliveries),
    { ...named, limit: Count.pipe(z.number().max(LIMITS.page_items)) },
    async (flags, context) => (await import('./webhooks.ts')).listDeliveries(flags, context),
  )
  const again = webhook
    .command('redeliver')
    .description('Have a delivery tried again at once.')
    .argument('<id>', 'of the webhook')
    .argument('<delivery>', 'as `hookline webhook deliveries` shows it')
    .addHelpText('after', example(`hookline webhook redeliver ${ID} ${ID} --namespace acme`))
  does(io, owned(again), { ...named, delivery: z.uuid() }, async (flags, context) =>
    (await import('./webhooks.ts')).redeliver(flags, context),
  )
  const test = webhook
    .command('test')
    .description('Have a webhook told of nothing, to see whether it hears.')
    .argument('<id>', 'as `hookline webhook list` shows it')
    .addHelpText('after', example(`hookline webhook test ${ID} --namespace acme`))
  does(io, owned(test), named, async (flags, context) =>
    (await import('./webhooks.ts')).testWebhook(flags, context),
  )
}
