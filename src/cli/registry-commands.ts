import type { Command } from 'commander'
import { z } from 'zod'
import { LIMITS } from '../domain/limits.ts'
import { Name } from '../domain/names.ts'
import {
  Count,
  does,
  durationWithin,
  example,
  group,
  registryFlags,
  registryShape,
  withinText,
} from './command.ts'
import type { Io } from './io.ts'

/** Shortest and longest life of a token, and of a join token. */
const TOKEN_TTL_S = [LIMITS.token_ttl_min_s, LIMITS.token_ttl_s] as const
const JOIN_TOKEN_TTL_S = [LIMITS.token_ttl_min_s, LIMITS.join_token_ttl_s] as const

/** The commands about who may do what: namespaces, keys, tokens, and the nodes that have joined. */
export function defineRegistryCommands(program: Command, io: Io): void {
  const namespace = group(program, 'namespace', 'Namespaces, in which programs are published.')
  const create = namespace
    .command('create')
    .description('Make a namespace.')
    .argument('<name>', 'lower-case letters, digits and hyphens')
    .addHelpText('after', example('hookline namespace create acme'))
  does(io, registryFlags(create), { ...registryShape, name: Name }, async (flags, context) =>
    (await import('./access.ts')).createNamespace(flags, context),
  )
  defineKeys(program, io)
  defineTokens(program, io)
  defineNodes(program, io)
}

function defineKeys(program: Command, io: Io): void {
  const key = group(program, 'key', 'Keys that may sign releases or orders.')
  const owner = (command: Command): Command =>
    command
      .option('--namespace <name>', 'the key signs releases of this namespace')
      .option('--operator', 'the key signs orders to nodes', false)
  const ownerShape = { ...registryShape, namespace: Name.optional(), operator: z.boolean() }
  const add = key
    .command('add')
    .description('Let a key sign releases of a namespace, or orders.')
    .argument('<file>', 'public key in PEM')
    .addHelpText('after', example('hookline key add keys/acme.pub.pem --namespace acme'))
  does(io, registryFlags(owner(add)), { ...ownerShape, file: z.string() }, async (flags, context) =>
    (await import('./access.ts')).addKey(flags, context),
  )
  const list = key
    .command('list')
    .description('List the keys that may sign.')
    .addHelpText('after', example('hookline key list --namespace acme'))
  does(io, registryFlags(owner(list)), ownerShape, async (flags, context) =>
    (await import('./access.ts')).listKeys(flags, context),
  )
}

function defineTokens(program: Command, io: Io): void {
  const token = group(program, 'token', 'Tokens for people and pipelines.')
  const create = token
    .command('create')
    .description('Make a token. Its secret is shown this once.')
    .option('--publish <namespaces>', 'publish in these namespaces, separated by commas')
    .option('--fleet', 'give orders, see nodes, make join tokens', false)
    .option('--admin', 'everything', false)
    .option(
      '--ttl <time>',
      `how long it lasts, such as 12h or 30d, ${withinText(...TOKEN_TTL_S)} (default: for ever)`,
    )
    .option('--note <text>', 'what it is for')
    .addHelpText('after', example('hookline token create --publish acme --ttl 30d --note "release pipeline"'))
  const shape = {
    ...registryShape,
    publish: z
      .string()
      .transform((names) => names.split(','))
      .pipe(z.array(Name))
      .optional(),
    fleet: z.boolean(),
    admin: z.boolean(),
    ttl: durationWithin(...TOKEN_TTL_S).optional(),
    note: z.string().max(200).optional(),
  }
  does(io, registryFlags(create), shape, async (flags, context) =>
    (await import('./access.ts')).createToken(flags, context),
  )
}

function defineNodes(program: Command, io: Io): void {
  const node = group(program, 'node', 'Nodes: hosts with an agent.')
  const list = node
    .command('list')
    .description('List the nodes that have joined.')
    .addHelpText('after', example('hookline node list'))
  does(io, registryFlags(list), registryShape, async (flags, context) =>
    (await import('./node.ts')).listNodes(flags, context),
  )
  const show = node
    .command('show')
    .description('Show a node and what runs on it.')
    .argument('<node>', 'name or id')
    .addHelpText('after', example('hookline node show edge-1'))
  does(io, registryFlags(show), { ...registryShape, node: z.string() }, async (flags, context) =>
    (await import('./node.ts')).showNode(flags, context),
  )
  const token = node
    .command('token')
    .description('Make a token by which nodes may join. Its secret is shown this once.')
    .option('--ttl <time>', `how long it lasts, ${withinText(...JOIN_TOKEN_TTL_S)} (default: 24h)`)
    .option('--uses <count>', `how many nodes may join by it, at most ${LIMITS.join_token_uses} (default: 1)`)
    .addHelpText('after', example('hookline node token --ttl 1h --uses 20'))
  does(
    io,
    registryFlags(token),
    {
      ...registryShape,
      ttl: durationWithin(...JOIN_TOKEN_TTL_S).optional(),
      uses: Count.pipe(
        z.int().max(LIMITS.join_token_uses, `give at most ${LIMITS.join_token_uses}`),
      ).optional(),
    },
    async (flags, context) => (await import('./node.ts')).createJoinToken(flags, context),
  )
}
