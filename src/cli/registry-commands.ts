import type { Command } from 'commander'
import { z } from 'zod'
import { AccountName, FleetRole, ROLES, Role, SCOPES, Scope } from '../domain/account.ts'
import { AuditRequest } from '../domain/audit.ts'
import { LIMITS } from '../domain/limits.ts'
import { LoginLink } from '../domain/login.ts'
import { NamePattern } from '../domain/name-pattern.ts'
import { Digest, Name } from '../domain/names.ts'
import { RobotRequest } from '../domain/namespace.ts'
import { IdentityRule } from '../domain/signer.ts'
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
import { defineJoinTokenCommands } from './join-token-commands.ts'

/** Shortest and longest life of a token, and of a join token. */
const TOKEN_TTL_S = [LIMITS.token_ttl_min_s, LIMITS.token_ttl_s] as const

/** A day, or a moment, in UTC; as the registry takes it. */
const Time = z
  .union([z.iso.date(), z.iso.datetime()], 'give a date such as 2027-01-01, or 2027-01-01T12:00:00Z')
  .transform((text) => new Date(text).toISOString())

/** Words separated by commas. */
const Listed = z.string().transform((text) => text.split(','))

/** The commands about who may do what: accounts, namespaces, keys, tokens, and the nodes that have joined. */
export function defineRegistryCommands(program: Command, io: Io): void {
  const whoami = program
    .command('whoami')
    .description('Show whose token is used, and what it may do.')
    .addHelpText('after', example('hookline whoami'))
  does(io, registryFlags(whoami), registryShape, async (flags, context) =>
    (await import('./accounts.ts')).whoAmI(flags, context),
  )
  defineLogin(program, io)
  defineAudit(program, io)
  defineNamespaces(program, io)
  defineMembers(program, io)
  defineKeys(program, io)
  defineIdentities(program, io)
  defineTokens(program, io)
  defineAccounts(program, io)
  defineNodes(program, io)
}

function defineLogin(program: Command, io: Io): void {
  const login = program
    .command('login')
    .description('Log in to a registry by a browser, and keep the token in the settings file.')
    .option('--url <url>', 'address of the registry (else HOOKLINE_URL, else the settings file)')
    .option('--scope <scopes>', `what the token is for, of ${SCOPES.join(',')}; default: all but admin`)
    .option('--name <name>', 'how a new account is to be called')
    .option('--with-token', 'take the token from standard input instead', false)
    .addHelpText(
      'after',
      example('hookline login --url https://registry.example.org', 'hookline login --with-token < token'),
    )
  const shape = {
    ...{ url: z.string().optional(), scope: Listed.pipe(z.array(Scope)).optional() },
    ...{ name: Name.optional(), withToken: z.boolean().default(false) },
  }
  does(io, login, shape, async (flags, context) => (await import('./login.ts')).login(flags, context))
  const logout = program
    .command('logout')
    .description('End the token of the settings file, and forget it.')
    .addHelpText('after', example('hookline logout'))
  does(io, logout, {}, async (flags, context) => (await import('./login.ts')).logout(flags, context))
}

function defineAudit(program: Command, io: Io): void {
  const audit = program
    .command('audit')
    .description(
      'Show who changed what, from where: of a namespace for its owners, of everything for administrators.',
    )
    .option('--namespace <name>', 'what is about this namespace')
    .option('--actor <who>', 'such as person:ada')
    .option('--action <action>', 'such as release.publish, or release.* for all of a kind')
    .option('--subject <what>', 'such as acme/ratelimit@1.4.0')
    .option('--limit <count>', 'how many', '50')
    .option('--cursor <cursor>', 'the next page, as the page before names it')
    .addHelpText('after', example('hookline audit --namespace acme --action "release.*"'))
  const { actor, action, subject, cursor, limit } = AuditRequest.shape
  does(
    io,
    registryFlags(audit),
    {
      ...{ ...registryShape, namespace: Name.optional(), actor, action, subject, cursor },
      limit: Count.pipe(limit.unwrap()),
    },
    async (flags, context) => (await import('./audit.ts')).audit(flags, context),
  )
}

function defineNamespaces(program: Command, io: Io): void {
  const namespace = group(program, 'namespace', 'Namespaces, in which programs are published.')
  const create = namespace
    .command('create')
    .description('Make a namespace, which you then own.')
    .argument('<name>', 'lower-case letters, digits and hyphens')
    .addHelpText('after', example('hookline namespace create acme'))
  does(io, registryFlags(create), { ...registryShape, name: Name }, async (flags, context) =>
    (await import('./namespaces.ts')).createNamespace(flags, context),
  )
  const list = namespace
    .command('list')
    .description('List the namespaces that you are a member of.')
    .addHelpText('after', example('hookline namespace list'))
  does(io, registryFlags(list), registryShape, async (flags, context) =>
    (await import('./namespaces.ts')).listNamespaces(flags, context),
  )
  const show = namespace
    .command('show')
    .description('Show whose a namespace is, and what it holds.')
    .argument('<name>', 'the namespace')
    .addHelpText('after', example('hookline namespace show acme'))
  does(io, registryFlags(show), { ...registryShape, name: Name }, async (flags, context) =>
    (await import('./namespaces.ts')).showNamespace(flags, context),
  )
  const verify = namespace
    .command('verify')
    .description(
      'Prove that a namespace is of a domain or a repository; without either, say what to put where.',
    )
    .argument('<name>', 'the namespace')
    .option('--dns <domain>', 'look at the domain’s TXT records')
    .option('--repository <path>', 'look at a file of github.com/owner/name, or on gitlab.com')
    .addHelpText(
      'after',
      example('hookline namespace verify acme', 'hookline namespace verify acme --dns acme.example'),
    )
  const shape = {
    ...registryShape,
    name: Name,
    dns: z.string().optional(),
    repository: z.string().optional(),
  }
  does(io, registryFlags(verify), shape, async (flags, context) =>
    (await import('./namespaces.ts')).verifyNamespace(flags, context),
  )
  const leave = namespace
    .command('leave')
    .description('End your own membership, or decline an invitation.')
    .argument('<name>', 'the namespace')
    .addHelpText('after', example('hookline namespace leave acme'))
  does(io, registryFlags(leave), { ...registryShape, name: Name }, async (flags, context) =>
    (await import('./namespaces.ts')).leaveNamespace(flags, context),
  )
}

function defineMembers(program: Command, io: Io): void {
  const member = group(program, 'member', 'Members of a namespace: people who were invited, and robots.')
  const shape = { ...registryShape, namespace: Name }
  const list = member
    .command('list')
    .description('List members and those invited.')
    .argument('<namespace>')
    .addHelpText('after', example('hookline member list acme'))
  does(io, registryFlags(list), shape, async (flags, context) =>
    (await import('./namespaces.ts')).listMembers(flags, context),
  )
  const set = member
    .command('set')
    .description('Invite an account, or change a member’s role.')
    .argument('<namespace>')
    .argument('<account>')
    .argument('<role>', ROLES.join(', '))
    .addHelpText('after', example('hookline member set acme ada publisher'))
  does(io, registryFlags(set), { ...shape, account: AccountName, role: Role }, async (flags, context) =>
    (await import('./namespaces.ts')).setMember(flags, context),
  )
  const remove = member
    .command('remove')
    .description('End a membership, or take an invitation back.')
    .argument('<namespace>')
    .argument('<account>')
    .addHelpText('after', example('hookline member remove acme ada'))
  does(io, registryFlags(remove), { ...shape, account: AccountName }, async (flags, context) =>
    (await import('./namespaces.ts')).removeMember(flags, context),
  )
  const invitations = member
    .command('invitations')
    .description('List your invitations.')
    .addHelpText('after', example('hookline member invitations'))
  does(io, registryFlags(invitations), registryShape, async (flags, context) =>
    (await import('./namespaces.ts')).listInvitations(flags, context),
  )
  const accept = member
    .command('accept')
    .description('Accept an invitation.')
    .argument('<namespace>')
    .addHelpText('after', example('hookline member accept acme'))
  does(io, registryFlags(accept), shape, async (flags, context) =>
    (await import('./namespaces.ts')).acceptInvitation(flags, context),
  )
  const robot = member
    .command('robot')
    .description('Make a robot: an account of the namespace, for a pipeline, that has tokens only.')
    .argument('<namespace>')
    .argument('<name>', 'its account is <namespace>.<name>')
    .option('--role <role>', 'reader or publisher', 'publisher')
    .addHelpText('after', example('hookline member robot acme ci'))
  does(
    io,
    registryFlags(robot),
    { ...shape, name: Name, role: RobotRequest.shape.role },
    async (flags, context) => (await import('./namespaces.ts')).createRobot(flags, context),
  )
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
    .option('--valid-from <time>', 'of a namespace: it signs nothing before, such as 2027-01-01')
    .option('--valid-until <time>', 'of a namespace: it signs nothing from then on')
    .addHelpText(
      'after',
      example(
        'hookline key add keys/acme.pub.pem --namespace acme',
        'hookline key add keys/acme.pub.pem --namespace acme --valid-until 2028-01-01',
      ),
    )
  const addition = {
    ...ownerShape,
    file: z.string(),
    validFrom: Time.optional(),
    validUntil: Time.optional(),
  }
  does(io, registryFlags(owner(add)), addition, async (flags, context) =>
    (await import('./namespaces.ts')).addKey(flags, context),
  )
  const remove = key
    .command('remove')
    .description('Let a key sign nothing new. What it signed stays, and nodes go by their own policies.')
    .argument('<fingerprint>', 'as `hookline key list` shows it')
    .addHelpText('after', example(`hookline key remove sha256:${'5f'.repeat(32)} --namespace acme`))
  const removal = { ...ownerShape, fingerprint: Digest }
  does(io, registryFlags(owner(remove)), removal, async (flags, context) =>
    (await import('./namespaces.ts')).removeKey(flags, context),
  )
  const list = key
    .command('list')
    .description('List the keys that may sign.')
    .addHelpText('after', example('hookline key list --namespace acme'))
  does(io, registryFlags(owner(list)), ownerShape, async (flags, context) =>
    (await import('./namespaces.ts')).listKeys(flags, context),
  )
}

function defineIdentities(program: Command, io: Io): void {
  const identity = group(
    program,
    'identity',
    'Identities that may sign releases, such as those of pipelines.',
  )
  const add = identity
    .command('add')
    .description('Let an identity sign releases of a namespace; behind @refs/ it may end in *.')
    .argument('<identity>', 'as its certificates name it')
    .requiredOption('--issuer <url>', 'who vouches for it')
    .requiredOption('--namespace <name>', 'the namespace')
    .addHelpText(
      'after',
      example(
        'hookline identity add "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/*" --issuer https://token.actions.githubusercontent.com --namespace acme',
      ),
    )
  const shape = { ...registryShape, ...IdentityRule.shape, namespace: Name }
  does(io, registryFlags(add), shape, async (flags, context) =>
    (await import('./identities.ts')).addIdentity(flags, context),
  )
  const list = identity
    .command('list')
    .description('List the identities that may sign releases of a namespace.')
    .requiredOption('--namespace <name>', 'the namespace')
    .addHelpText('after', example('hookline identity list --namespace acme'))
  does(io, registryFlags(list), { ...registryShape, namespace: Name }, async (flags, context) =>
    (await import('./identities.ts')).listIdentities(flags, context),
  )
  const remove = identity
    .command('remove')
    .description(
      'Let an identity sign nothing new. What it signed stays, and nodes go by their own policies.',
    )
    .argument('<id>', 'as `hookline identity list` shows it')
    .requiredOption('--namespace <name>', 'the namespace')
    .addHelpText(
      'after',
      example('hookline identity remove 019c2f6e-5a70-7d6f-9c6b-2f4f0f1a2b3c --namespace acme'),
    )
  does(
    io,
    registryFlags(remove),
    { ...registryShape, namespace: Name, id: z.uuid() },
    async (flags, context) => (await import('./identities.ts')).removeIdentity(flags, context),
  )
}

function defineTokens(program: Command, io: Io): void {
  const token = group(program, 'token', 'Tokens for people and pipelines.')
  const create = token
    .command('create')
    .description('Make a token that may do no more than yours. Its secret is shown this once.')
    .option('--scope <scopes>', `what it is for, separated by commas: ${SCOPES.join(', ')}`)
    .option('--programs <patterns>', 'which programs: acme/*, acme/ratelimit, separated by commas', '*')
    .option(
      '--account <name>',
      'whose it is: a robot of your namespace (acme.ci), or, for administrators, anybody',
    )
    .option(
      '--ttl <time>',
      `how long it lasts, such as 12h or 30d, ${withinText(...TOKEN_TTL_S)} (default: ${LIMITS.token_ttl_default_s / 86_400}d)`,
    )
    .option('--note <text>', 'what it is for')
    .addHelpText(
      'after',
      example('hookline token create --scope publish-update --programs "acme/*" --account acme.ci --ttl 30d'),
    )
  const shape = {
    ...registryShape,
    scope: Listed.pipe(z.array(Scope)).optional(),
    programs: Listed.pipe(z.array(NamePattern)),
    account: AccountName.optional(),
    ttl: durationWithin(...TOKEN_TTL_S).optional(),
    note: z.string().max(200).optional(),
  }
  does(io, registryFlags(create), shape, async (flags, context) =>
    (await import('./accounts.ts')).createToken(flags, context),
  )
  const list = token
    .command('list')
    .description('List your tokens that are good.')
    .addHelpText('after', example('hookline token list'))
  does(io, registryFlags(list), registryShape, async (flags, context) =>
    (await import('./accounts.ts')).listTokens(flags, context),
  )
  const revoke = token
    .command('revoke')
    .description('End a token of yours for good.')
    .argument('<id>', 'as `hookline token list` shows it')
    .addHelpText('after', example('hookline token revoke 01a2b3c4-…'))
  does(io, registryFlags(revoke), { ...registryShape, id: z.uuid() }, async (flags, context) =>
    (await import('./accounts.ts')).revokeToken(flags, context),
  )
}

function defineAccounts(program: Command, io: Io): void {
  const account = group(program, 'account', 'Accounts of people and of pipelines, for administrators.')
  const list = account
    .command('list')
    .description('List all accounts.')
    .addHelpText('after', example('hookline account list'))
  does(io, registryFlags(list), registryShape, async (flags, context) =>
    (await import('./accounts.ts')).listAccounts(flags, context),
  )
  const create = account
    .command('create')
    .description('Make an account.')
    .argument('<name>', 'lower-case letters, digits and hyphens')
    .option('--robot', 'for a pipeline, which belongs to no namespace', false)
    .option('--admin', 'an administrator, who may do everything', false)
    .option('--fleet <role>', 'what it may do with the fleet: none, viewer or operator', 'none')
    .addHelpText('after', example('hookline account create ada --fleet viewer'))
  const shape = {
    ...registryShape,
    name: Name,
    robot: z.boolean().optional(),
    admin: z.boolean().default(false),
  }
  does(io, registryFlags(create), { ...shape, fleet: FleetRole }, async ({ robot, ...flags }, context) =>
    (await import('./accounts.ts')).createAccount(
      { ...flags, kind: robot === true ? 'robot' : 'person' },
      context,
    ),
  )
  const change = account
    .command('change')
    .description('Change what an account may do.')
    .argument('<name>')
    .option('--admin <yes|no>', 'whether it is an administrator')
    .option('--fleet <role>', 'none, viewer or operator')
    .option('--disabled <yes|no>', 'whether it, and every token of it, is refused')
    .addHelpText('after', example('hookline account change ada --disabled yes'))
  const YesNo = z.enum(['yes', 'no'], 'yes or no').transform((text) => text === 'yes')
  does(
    io,
    registryFlags(change),
    {
      ...{ ...registryShape, name: AccountName, admin: YesNo.optional(), disabled: YesNo.optional() },
      fleet: FleetRole.optional(),
    },
    async (flags, context) => (await import('./accounts.ts')).changeAccount(flags, context),
  )
  const link = account
    .command('link')
    .description('Say who logs in as an account: a subject of the registry’s identity provider.')
    .argument('<name>')
    .requiredOption('--subject <subject>', 'the provider’s name for the person (`sub`)')
    .addHelpText('after', example('hookline account link ada --subject 248289761001'))
  does(
    io,
    registryFlags(link),
    { ...registryShape, name: AccountName, ...LoginLink.shape },
    async (flags, context) => (await import('./accounts.ts')).linkLogin(flags, context),
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
  const remove = node
    .command('remove')
    .description(
      'Forget a node: its key opens nothing any more. What it runs goes on until it is stopped there.',
    )
    .argument('<node>', 'name or id')
    .addHelpText('after', example('hookline node remove edge-1'))
  does(io, registryFlags(remove), { ...registryShape, node: z.string() }, async (flags, context) =>
    (await import('./node.ts')).removeNode(flags, context),
  )
  defineJoinTokenCommands(node, io)
}
