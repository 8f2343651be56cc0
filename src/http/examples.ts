import type { OpenAPIV3_1 } from 'openapi-types'

type Schema = OpenAPIV3_1.SchemaObject | OpenAPIV3_1.ReferenceObject
type Schemas = Readonly<Record<string, Schema>>

const FINGERPRINT = `sha256:${'5f'.repeat(32)}`
const ID = '019c2f6e-5a70-7d6f-9c6b-2f4f0f1a2b3c'
const [AT, LATER] = ['2026-05-01T12:00:00.000Z', '2026-05-31T12:00:00.000Z']
const WORKFLOW = 'https://github.com/acme/ratelimit/.github/workflows/release.yml@refs/tags/*'
const ISSUER = 'https://token.actions.githubusercontent.com'

/** What a member of this name holds in an example, where its schema allows that; several are tried in their order. */
const VALUES: Readonly<Record<string, readonly unknown[]>> = {
  ...{ program: ['acme/ratelimit', 'ratelimit'], ref: ['acme/ratelimit@1.4.0', 'refs/tags/v*'] },
  ...{
    version: ['1.4.0'],
    latest: ['1.4.0'],
    release: ['acme/ratelimit@1.4.0'],
    use: ['acme/ratelimit@^1.4'],
  },
  ...{
    namespace: ['acme'],
    function: ['edge'],
    instance: ['limit'],
    entry: ['xdp_ratelimit'],
    hook: ['xdp'],
  },
  ...{
    name: ['acme', 'edge-1', 'ratelimit.bpf.o'],
    account: ['ada'],
    actor: ['person:ada'],
    invitedBy: ['ada'],
  },
  ...{ summary: ['Limits packets by source'], license: ['GPL-2.0-only'], message: ['Drops IPv6 fragments'] },
  ...{
    createdAt: [AT],
    publishedAt: [AT],
    addedAt: [AT],
    appliedAt: [AT],
    at: [AT],
    since: [AT],
    updatedAt: [AT],
  },
  ...{
    enrolledAt: [AT],
    lastSeenAt: [AT],
    lastUsedAt: [AT],
    reportedAt: [AT],
    expiresAt: [LATER],
    day: ['2026-05-01'],
  },
  ...{
    id: [ID, '4711'],
    next: ['4711', 'ada'],
    digest: [FINGERPRINT],
    fingerprint: [FINGERPRINT],
    key: [FINGERPRINT],
  },
  ...{
    signer: [FINGERPRINT],
    signers: [[FINGERPRINT]],
    owner: [FINGERPRINT],
    builder: [WORKFLOW.replace('*', 'v1.4.0')],
    buildType: ['https://actions.github.io/buildtypes/workflow/v1'],
    source: ['git+https://github.com/acme/ratelimit@refs/tags/v1.4.0'],
    validFrom: [AT],
    validUntil: [LATER],
    object: [FINGERPRINT],
    publicKey: ['MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE='],
  },
  ...{
    secret: ['hlt_0123456789abcdefghijklmnopqrstuvwxyzABCDEF'],
    scopes: [['publish-update']],
    programs: [['acme/*']],
  },
  ...{
    bundle: ['{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}'],
    envelope: ['{"payload":"..."}'],
  },
  ...{
    identity: [WORKFLOW],
    issuer: [ISSUER],
    repository: ['acme/ratelimit'],
    workflow: ['release.yml'],
    provider: ['github'],
  },
  ...{
    environment: ['release'],
    idToken: ['eyJhbGciOiJSUzI1NiJ9.e30.c2ln'],
    subject: ['acme/ratelimit@1.4.0', '248289761001'],
  },
  ...{
    code: ['release_exists', 'A'.repeat(43)],
    verifier: ['V'.repeat(43)],
    address: ['203.0.113.7'],
    action: ['release.publish'],
  },
  ...{
    url: ['https://ci.example.org/hook'],
    events: [['release.*']],
    event: ['release.publish'],
    status: [200, 'ok'],
  },
  ...{
    kind: ['person', 'apply', 'dns'],
    of: ['acme.example'],
    role: ['publisher'],
    fleet: ['operator'],
    reason: ['vulnerability'],
    visibility: ['private'],
  },
  ...{
    kernel: ['5.15', '6.12.0'],
    interface: ['eth1'],
    agent: ['0.1.0'],
    arch: ['x64'],
    netns: [''],
    programTag: ['3b185187f1855c4c'],
  },
  ...{
    hooks: [['xdp']],
    labels: [{ role: 'edge' }],
    channels: [{ stable: '1.4.0' }],
    value: ['xdp'],
    note: ['nightly build'],
  },
  ...{
    packets: [{ pass: 1_204_117, drop: 86 }],
    total: [1311, { pass: 1_204_117, drop: 86 }],
    size: [20_480],
    count: [42],
  },
  ...{
    detail: ['acme/ratelimit@1.4.0 was published before'],
    remedy: ['publish under a new version'],
    title: ['Release exists'],
  },
  ...{
    after: [{ signer: FINGERPRINT }],
    durationMs: [31],
    attempts: [1],
    answer: ['ok'],
    revision: [3],
    position: [1],
  },
  ...{
    text: ['Drops IPv6 fragments'],
    resolution: ['1.4.0 was yanked'],
    type: ['urn:hookline:error:release_exists'],
    reads: ['5000'],
  },
}
/** What the state of a thing that is well does not say. */
const LEFT_OUT = new Set([
  ...[
    'deprecated',
    'quarantined',
    'revoked',
    'yanked',
    'disabledAt',
    'failingSince',
    'nextAt',
    'triedAt',
    'problem',
    'log',
    'logged',
  ],
  ...['error', 'before', 'resolution', 'checks'],
])
const MOST_DEEP = 8

/**
 * A value that a schema describes, as somebody may meet it: members are known by their names. `parts` are the schemas that
 * references lead to. The same for the same schema.
 */
export function exampleOf(schema: Schema, parts: Schemas, name = '', depth = 0): unknown {
  if ('$ref' in schema) {
    const part = parts[schema.$ref.split('/').at(-1) ?? '']
    return part === undefined || depth > MOST_DEEP ? {} : exampleOf(part, parts, name, depth + 1)
  }
  const known = VALUES[name]?.find((value) => fits(schema, value, parts))
  if (known !== undefined) return known
  if (schema.const !== undefined) return schema.const
  if (schema.enum !== undefined) return schema.enum[0]
  if (schema.default !== undefined) return schema.default
  const choice = schema.anyOf?.[0] ?? schema.oneOf?.[0]
  if (choice !== undefined) return exampleOf(choice, parts, name, depth + 1)
  if (schema.properties !== undefined) return objectOf(schema, parts, depth)
  switch (schema.type) {
    case 'array':
      return 'items' in schema && depth <= MOST_DEEP ? [exampleOf(schema.items, parts, name, depth + 1)] : []
    case 'object':
      return {}
    case 'boolean':
      return false
    case 'integer':
    case 'number':
      return Math.max(1, schema.minimum ?? 1)
    case 'string':
      return schema.format === 'date-time' ? AT : 'text'
    default:
      return {}
  }
}

function objectOf(schema: OpenAPIV3_1.SchemaObject, parts: Schemas, depth: number): object {
  const required = new Set(schema.required)
  return Object.fromEntries(
    Object.entries(schema.properties ?? {}).flatMap(([key, part]) =>
      !required.has(key) && (LEFT_OUT.has(key) || depth > MOST_DEEP)
        ? []
        : [[key, exampleOf(part, parts, key, depth + 1)]],
    ),
  )
}

/** Whether a schema takes a value, as far as type, pattern, values and members tell. */
function fits(schema: Schema, value: unknown, parts: Schemas): boolean {
  if ('$ref' in schema) {
    const part = parts[schema.$ref.split('/').at(-1) ?? '']
    return part !== undefined && fits(part, value, parts)
  }
  if (schema.allOf?.some((part) => !fits(part, value, parts)) === true) return false
  const choices = schema.anyOf ?? schema.oneOf
  if (choices !== undefined) return choices.some((choice) => fits(choice, value, parts))
  if (schema.enum !== undefined) return schema.enum.includes(value)
  if (schema.type === undefined) return typeof value !== 'string' || matches(schema, value)
  const type = Array.isArray(value) ? 'array' : typeof value
  if (type === 'number') return schema.type === 'integer' || schema.type === 'number'
  if (type !== schema.type) return false
  if (typeof value === 'string') return matches(schema, value)
  if (Array.isArray(value) && 'items' in schema) return value.every((item) => fits(schema.items, item, parts))
  return type !== 'object' || schema.properties === undefined
}

function matches({ pattern, minLength = 0, format }: OpenAPIV3_1.SchemaObject, text: string): boolean {
  if (format === 'binary' || text.length < minLength) return false
  return pattern === undefined || new RegExp(pattern, 'u').test(text)
}

/** A problem document (RFC 9457) as an answer that is refused by this code. */
export const exampleProblem = (
  code: string,
  status: number,
  { title, remedy }: { title: string; remedy: string },
): object => ({ type: `urn:hookline:error:${code}`, title, status, code, detail: title, remedy })
