import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildRelease, newKey, openNamespace, publishAt, releaseForm } from '../../http/release-builder.ts'
import { type RunningRegistry, startRegistry } from '../../http/running-registry.ts'
import { compileBpf } from '../../support/compile-bpf.ts'

let registry: RunningRegistry
let member: string
const [key, second] = [newKey(), newKey()]
const HOSTILE = '<script>alert(1)</script> "quoted"'
const LIST = {
  ...{ name: 'blocked', map: 'blocked', maxItems: 100, key: { prefix: 'cidr' } },
  default: [{ prefix: '10.0.0.0/8' }],
  help: 'Sources that are kept out',
}
const object = compileBpf(`
  #include <linux/bpf.h>
  #include <linux/pkt_cls.h>
  #include <bpf/bpf_helpers.h>
  const volatile __u32 cfg_limit = 5;
  struct { __uint(type, BPF_MAP_TYPE_LRU_HASH); __type(key, __u32); __type(value, __u64);
    __uint(max_entries, 1024); } seen SEC(".maps");
  struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __type(key, __u32); __type(value, __u64);
    __uint(max_entries, 4); } counts SEC(".maps");
  struct lpm { __u32 bits; __u8 address[4]; };
  struct { __uint(type, BPF_MAP_TYPE_LPM_TRIE); __type(key, struct lpm); __type(value, __u8);
    __uint(max_entries, 100); __uint(map_flags, BPF_F_NO_PREALLOC); } blocked SEC(".maps");
  static __noinline int count(__u32 at) {
    __u64 *value = bpf_map_lookup_elem(&counts, &at);
    if (value) (*value)++;
    return 0;
  }
  SEC("xdp") int front(struct xdp_md *ctx) {
    __u32 one = 1;
    struct lpm key = { .bits = 32 };
    if (bpf_map_lookup_elem(&blocked, &key)) return XDP_DROP;
    __u64 now = bpf_ktime_get_ns();
    bpf_map_update_elem(&seen, &one, &now, BPF_ANY);
    count(0);
    return cfg_limit > 9 ? XDP_DROP : XDP_PASS;
  }
  SEC("tc/egress") int back(struct __sk_buff *skb) { return count(1); }
  char _license[] SEC("license") = "GPL";
`)
const manifest = {
  readme: 'README.md',
  permissions: ['drop'],
  requires: { kernel: '>=5.15' },
  programs: [
    { object: 'both.bpf.o', entry: 'front', hook: 'xdp', proceed: ['pass', 'drop'] },
    { object: 'both.bpf.o', entry: 'back', hook: 'tc-egress' },
  ],
  maps: [{ name: 'seen', role: 'state' }],
  config: [
    {
      ...{ name: 'limit', variable: 'cfg_limit', type: 'u32', default: 5, unit: HOSTILE.slice(0, 40) },
      ...{ min: 1, max: 20_000, help: HOSTILE },
    },
    LIST,
  ],
  metrics: [{ name: 'packets', map: 'counts', type: 'counter', help: 'All that came' }],
}
const files = (readme: string): [string, Buffer][] => [
  ['both.bpf.o', object],
  ['README.md', Buffer.from(readme)],
]

beforeAll(async () => {
  registry = await startRegistry()
  await openNamespace(registry, 'acme', key)
  const { fingerprint, publicKey } = second
  await registry.call('PUT', `/api/v1/namespaces/acme/keys/${fingerprint}`, {
    token: registry.admin,
    body: { publicKey: publicKey.spki.toString('base64') },
  })
  member = await registry.account('mia', { member: { acme: 'reader' } })
  const summary = { summary: HOSTILE }
  await publishAt(registry, await buildRelease('acme/small', '1.0.0', key))
  await publishAt(registry, await buildRelease('acme/app', '1.0.0', key))
  await publishAt(
    registry,
    await buildRelease('acme/app', '1.1.0', second, {
      manifest: { ...manifest, ...summary },
      files: files('# Both\n\n[js](javascript:alert(1)) and <b>raw</b>'),
    }),
  )
  const form = releaseForm(await buildRelease('acme/secret', '1.0.0', key))
  await registry.call('POST', '/api/v1/releases?visibility=private', { token: registry.admin, form })
}, 60_000)
afterAll(() => registry.close())

/** A page, as whoever has the token sees it, or a stranger. */
async function page(path: string, token?: string): Promise<{ status: number; text: string }> {
  const headers = { accept: 'text/html', ...(token && { cookie: `hookline=given.${token}` }) }
  const { status, bytes } = await registry.call('GET', path, { headers })
  return { status, text: bytes.toString() }
}
const TABS = ['', '/contents', '/configuration', '/verify']

describe('a program', () => {
  test('is shown by its newest release, and each release at an address of its own', async () => {
    const newest = await page('/programs/acme/app')
    expect(newest.status).toBe(200)
    expect(newest.text).toContain('<span class="version">1.1.0</span>')
    expect(newest.text).toContain('/programs/acme/app">')
    expect(newest.text).toContain('href="/feeds/acme/app/releases.atom"')
    const older = await page('/programs/acme/app/v/1.0.0')
    expect(older.text).toContain('<span class="version">1.0.0</span>')
    expect(older.text).toContain('This program is shown by <a href="/programs/acme/app">1.1.0</a>')
    expect(newest.text).not.toContain('This program is shown by')
  })
  test('marks its hooks, with its entries and after which verdicts the chain goes on', async () => {
    const { text } = await page('/programs/acme/app')
    expect(text.match(/class="stop hook-[a-z-]+" data-here/g)).toEqual([
      'class="stop hook-xdp" data-here',
      'class="stop hook-tc-egress" data-here',
    ])
    expect(text).toMatch(/<code>front<\/code><small>the chain goes on after <b>pass, drop<\/b>/)
    expect(text).toMatch(/<code>back<\/code><small>the chain goes on after <b>ok, next<\/b>/)
  })
  test('hands nobody its signer to trust: not on its first page', async () => {
    const { text } = await page('/programs/acme/app')
    const snippets = [...text.matchAll(/data-copy[^>]*>.*?<\/div>/gs)].join('')
    expect(snippets).toContain('hookline pull acme/app@1.1.0')
    expect(snippets).toContain('hookline verify acme/app@1.1.0')
    expect(snippets).not.toContain(second.fingerprint)
    const verify = await page('/programs/acme/app/v/1.1.0/verify')
    expect(verify.text).toContain(`<code>${second.fingerprint}</code>`)
    expect([...verify.text.matchAll(/data-copy[^>]*>.*?<\/div>/gs)].join('')).not.toContain(
      second.fingerprint,
    )
  })
  test('has the rule of a policy grant what it can do', async () => {
    const { text } = await page('/programs/acme/app/v/1.1.0/verify')
    const [rule = ''] = /<code>programs:\n[^<]*/.exec(text) ?? []
    expect(rule).toContain('match: &quot;acme/app&quot;')
    expect(rule).toContain('permissions: [drop]')
    expect(text).toContain('href="/programs/acme/app/v/1.1.0/permissions">what the program can do')
  })
  test('shows text of strangers as text', async () => {
    for (const tab of TABS) {
      const { status, text } = await page(`/programs/acme/app/v/1.1.0${tab}`)
      expect(status).toBe(200)
      expect(text).not.toContain('<script>alert')
      expect(text).not.toContain('\u202e')
      expect(text).not.toContain('javascript:')
      expect(text).not.toContain('<b>raw</b>')
      expect(text).toContain('&lt;script&gt;alert(1)')
    }
  })
  test.each([
    '/programs/acme/none',
    '/programs/acme/app/v/9.9.9',
    '/programs/acme/app/v/latest',
    '/programs/A..B/app',
  ])('that is not there is not found: %s', async (path) => expect((await page(path)).status).toBe(404))
})

describe('a private program', () => {
  test.each([...TABS.map((tab) => `/v/1.0.0${tab}`), ...['', '/versions', '/compare']])(
    'is for strangers as one that is not there, for members it has a lock: %s',
    async (path) => {
      const [secret, none] = [
        await page(`/programs/acme/secret${path}`),
        await page(`/programs/acme/none12${path}`),
      ]
      expect([secret.status, none.status]).toEqual([404, 404])
      expect(secret.text.replaceAll('secret', 'none12')).toBe(none.text)
      const seen = await page(`/programs/acme/secret${path}`, member)
      expect(seen.status).toBe(200)
      expect(seen.text).toContain('aria-label="private: for members only"')
    },
  )
  test('a public one has none', async () =>
    expect((await page('/programs/acme/app', member)).text).not.toContain('private: for members only'))
})

describe('contents', () => {
  test('are files to fetch, and a drawing of each object', async () => {
    const { text } = await page('/programs/acme/app/v/1.1.0/contents')
    expect(text).toMatch(/href="\/api\/v1\/blobs\/sha256:[0-9a-f]{64}" download="both\.bpf\.o"/)
    expect(text).toContain('table by key; when full, the least used goes')
    expect(text).toContain('address prefixes; the longest that fits counts')
    expect(text).toContain('1 function below')
    // front uses its three maps and .rodata, back counts
    const [, lines = ''] = /<g class="lines">(.*?)<\/g>/s.exec(text) ?? []
    expect(lines.match(/<path/g)).toHaveLength(5)
    expect(text).toContain('Asks for the time')
    expect(text).toContain('<code>bpf_ktime_get_ns</code>')
  })
  test('whose bytes are not there are a note, not a failure', async () => {
    const { database } = registry
    const digest = `sha256:${'7'.repeat(64)}`
    const release = await database.prisma.release.findFirstOrThrow({
      where: { version: '1.0.0', program: { ref: 'acme/small' } },
    })
    await database.prisma.blob.create({ data: { digest, size: 10 } })
    await database.prisma.releaseFile.updateMany({
      where: { releaseId: release.id, name: 'small.bpf.o' },
      data: { digest },
    })
    const { status, text } = await page('/programs/acme/small/v/1.0.0/contents')
    expect(status).toBe(200)
    expect(text).toContain('The bytes of this object are not in the registry’s store')
    expect(registry.failures).toEqual([])
  })
})

test('configuration has tables, and a function file with all defaults', async () => {
  const { text } = await page('/programs/acme/app/v/1.1.0/configuration')
  expect(text).toContain('1 to 20\u202f000')
  expect(text).toContain('address prefix, 10.0.0.0/8')
  expect(text).toContain('- {&quot;prefix&quot;:&quot;10.0.0.0/8&quot;}')
  expect(text).toContain('All that came')
  const plain = await buildRelease('acme/plain', '1.0.0', key, { manifest: { config: [] } })
  await publishAt(registry, plain)
  expect((await page('/programs/acme/plain/v/1.0.0/configuration')).text).toContain(
    'There is nothing to configure',
  )
})

describe('versions', () => {
  test('show channels, signers that changed, and what was said about each', async () => {
    const at = '/api/v1/programs/acme/app'
    const { admin: token } = registry
    await registry.call('PUT', `${at}/channels/stable`, { token, body: { version: '1.0.0' } })
    await registry.call('PUT', `${at}/versions/1.0.0/yank`, { token, body: { message: '<i>bad</i>' } })
    const { text } = await page('/programs/acme/app/versions')
    expect(text.indexOf('/v/1.1.0"')).toBeLessThan(text.indexOf('/v/1.0.0"'))
    expect(text).toContain('<span class="tag">stable</span>')
    expect(text).toContain('another signer than 1.0.0')
    const today = new Date().toISOString().slice(0, 10)
    expect(text).toMatch(
      new RegExp(`yanked <time datetime="${today}[^"]*">${today}</time>: <bdi>&lt;i&gt;bad`),
    )
    expect(text).toContain('compare?from=1.0.0&amp;to=1.1.0')
    expect((await page('/programs/acme/app/v/1.0.0')).text).toContain('Release 1.0.0 was yanked')
    expect((await page('/programs/acme/app/v/1.1.0')).text).not.toContain('was yanked')
    await registry.call('DELETE', `${at}/versions/1.0.0/yank`, { token })
    expect((await page('/programs/acme/app/versions')).text).not.toContain('yanked')
  })
  test('compared say what changed, and refuse what is not there', async () => {
    const { text } = await page('/programs/acme/app/compare?from=1.0.0&to=1.1.0')
    expect(text).toContain('Another signer.')
    expect(text).toContain('<code>bpf_ktime_get_ns</code>')
    expect(text).toContain('README added')
    const back = await page('/programs/acme/app/compare?from=1.1.0&to=1.0.0')
    expect(back.text).toContain('gone, and its content with it')
    expect((await page('/programs/acme/app/compare?from=1.0.0&to=1.0.0')).text).toContain(
      'Choose two different',
    )
    expect((await page('/programs/acme/app/compare?from=1.0.0&to=7.0.0')).status).toBe(404)
  })
})

test('what is quarantined is shown to members only, without its bytes', async () => {
  const at = '/api/v1/programs/acme/app/versions/1.1.0/quarantine'
  const { admin: token } = registry
  await registry.call('PUT', at, { token, body: { message: 'looks stolen' } })
  expect((await page('/programs/acme/app/v/1.1.0')).status).toBe(404)
  const { status, text } = await page('/programs/acme/app/v/1.1.0', member)
  expect(status).toBe(200)
  expect(text).toContain('looks stolen')
  expect(text).toContain('Its files are withheld')
  expect(text).not.toContain('id="text-both"')
  expect((await page('/programs/acme/app/v/1.1.0/contents', member)).text).not.toContain('/api/v1/blobs/')
  await registry.call('DELETE', at, { token })
  expect((await page('/programs/acme/app/v/1.1.0')).text).toContain('id="text-both"')
})

test('a long README is cut at a line, with a link to the whole', async () => {
  const line = `${'ö'.repeat(60)}\n\n`
  const release = await buildRelease('acme/long', '1.0.0', key, {
    manifest: { readme: 'README.md' },
    files: [['README.md', Buffer.from(line.repeat(2000))]],
  })
  await publishAt(registry, release)
  const { text } = await page('/programs/acme/long')
  expect(text).toContain('This is the beginning of a long README')
  expect(text).toContain('download="README.md"')
  expect(text).not.toContain('\ufffd')
  expect((await page('/programs/acme/app')).text).not.toContain('This is the beginning')
})
