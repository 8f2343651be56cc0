import { DomainError } from './errors.ts'

/** Names that would pass for the registry itself, for a part of an address, or for somebody everybody knows. */
const RESERVED = new Set([
  ...[
    'admin',
    'administrator',
    'root',
    'system',
    'security',
    'support',
    'help',
    'abuse',
    'official',
    'staff',
  ],
  ...['api', 'www', 'docs', 'blog', 'status', 'login', 'logout', 'signup', 'auth', 'oauth', 'search', 'new'],
  ...[
    'account',
    'accounts',
    'settings',
    'namespace',
    'namespaces',
    'program',
    'programs',
    'release',
    'releases',
  ],
  ...['function', 'functions', 'node', 'nodes', 'token', 'tokens', 'webhook', 'webhooks', 'audit', 'metrics'],
  ...[
    'anonymous',
    'everyone',
    'nobody',
    'null',
    'undefined',
    'self',
    'all',
    'any',
    'none',
    'test',
    'example',
  ],
])

/**
 * What a name looks like at a glance: letters and digits that are mistaken for one another are one, and hyphens are
 * left out. Two names with one look are not told apart by a hurried reader, so only one of them may exist.
 */
export const lookOf = (name: string): string =>
  name
    .replaceAll('-', '')
    .replaceAll('rn', 'm')
    .replaceAll('vv', 'w')
    .replaceAll('0', 'o')
    .replaceAll(/[1i]/g, 'l')
    // behind the one before: c1 is as good as cl
    .replaceAll('cl', 'd')
    .replaceAll('5', 's')
    .replaceAll('8', 'b')
    .replaceAll('2', 'z')

const RESERVED_LOOKS = new Set([...RESERVED].map(lookOf))

/** Throws `name_reserved` for a name that nobody may take, or that looks like one. */
export function requireFreeName(name: string): void {
  if (RESERVED_LOOKS.has(lookOf(name))) throw new DomainError('name_reserved', `"${name}" is reserved`)
}
