import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { DomainError } from '../domain/errors.ts'
import type { App } from '../http/route.ts'

const TYPES = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
  woff2: 'font/woff2',
} as const

/** Scripts and pictures of src/web/assets. */
const FILES = ['hookline.js', 'search.js', 'live.js', 'icon.svg'] as const
/** Parts of the one style, in order. */
const STYLES = ['base.css', 'program.css', 'fleet.css', 'account.css', 'docs.css', 'log.css'] as const
/** The latin letters of the typeface. */
const TYPEFACE = '@fontsource-variable/public-sans/files/public-sans-latin-wght-normal.woff2'

interface Asset {
  readonly url: string
  readonly type: string
  readonly bytes: Buffer
}

const readOwn = (name: string): Buffer =>
  readFileSync(fileURLToPath(new URL(`assets/${name}`, import.meta.url)))

/** Reads all files once; each has its hash in its address, so that a browser need never ask again. */
function readAssets(): ReadonlyMap<string, Asset> {
  const typeface = assetOf('text.woff2', readFileSync(fileURLToPath(import.meta.resolve(TYPEFACE))))
  const style = Buffer.concat(STYLES.map(readOwn))
    .toString('utf8')
    .replaceAll('url("text.woff2")', `url("${typeface.url}")`)
  return new Map([
    ['text.woff2', typeface],
    ['hookline.css', assetOf('hookline.css', Buffer.from(style))],
    ...FILES.map((name): [string, Asset] => [name, assetOf(name, readOwn(name))]),
  ])
}

function assetOf(name: string, bytes: Buffer): Asset {
  const [stem, ending = ''] = name.split('.')
  const hash = createHash('sha256').update(bytes).digest('base64url').slice(0, 12)
  const type = Object.entries(TYPES).find(([of]) => of === ending)?.[1] ?? 'application/octet-stream'
  return { url: `/assets/${stem}-${hash}.${ending}`, type, bytes }
}

let assets: ReadonlyMap<string, Asset> | undefined
const allAssets = (): ReadonlyMap<string, Asset> => {
  assets ??= readAssets()
  return assets
}

/** Address of a file of pages. Throws `internal` for a name that is none. */
export function assetUrl(name: string): string {
  const asset = allAssets().get(name)
  if (asset === undefined) throw new DomainError('internal', `there is no asset "${name}"`)
  return asset.url
}

/** Serves the files of pages. */
export function assetRoutes(app: App): void {
  for (const { url, type, bytes } of allAssets().values())
    app.get(url, { config: { access: 'anyone' }, schema: { hide: true } }, async (_request, reply) =>
      reply.header('cache-control', 'public, max-age=31536000, immutable').type(type).send(bytes),
    )
}
