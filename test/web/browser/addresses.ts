import type { Showcase } from '../../../tools/showcase/fill.ts'

/** A page of the showcase, and who looks at it; without `as`, anybody. */
export interface Address {
  readonly name: string
  readonly path: string
  /** An account's name. */
  readonly as?: string
  /** 200 unless it says otherwise. */
  readonly status?: number
}

const PROGRAM = '/programs/northgate/syn-shield'

/** Every page that anybody may see. */
export const PUBLIC: readonly Address[] = [
  { name: 'home', path: '/' },
  { name: 'search', path: '/search?q=firewall' },
  { name: 'search-facets', path: '/search?hook=xdp&verified=yes&sort=downloads' },
  { name: 'search-nothing', path: '/search?q=zzzzzz&hook=xdp' },
  { name: 'program', path: PROGRAM },
  { name: 'program-real', path: '/programs/hookline/scrub' },
  { name: 'program-deprecated', path: '/programs/northgate/udp-ceiling' },
  { name: 'release', path: '/programs/northgate/syn-shield/v/2.1.0' },
  { name: 'release-yanked', path: '/programs/hookline/ratelimit/v/0.9.1' },
  { name: 'contents', path: `${PROGRAM}/v/2.2.1/contents` },
  { name: 'configuration', path: '/programs/hookline/ratelimit/v/1.0.0/configuration' },
  { name: 'permissions', path: `${PROGRAM}/v/2.2.1/permissions` },
  { name: 'verify', path: `${PROGRAM}/v/2.2.1/verify` },
  { name: 'versions', path: `${PROGRAM}/versions` },
  { name: 'compare', path: '/programs/hookline/ratelimit/compare?from=0.9.1&to=1.0.0' },
  { name: 'namespace', path: '/namespaces/northgate' },
  { name: 'log', path: '/log' },
  { name: 'log-entry', path: '/log/entries/catalog/12' },
  { name: 'sign-in', path: '/sign-in' },
  { name: 'publish', path: '/publish' },
  { name: 'docs', path: '/docs' },
  { name: 'docs-page', path: '/docs/manifest' },
  { name: 'docs-api', path: '/docs/api' },
  { name: 'not-found', path: '/programs/nobody/nothing', status: 404 },
]

/** Every page that one signs in for. */
export const signedInPages = ({ nodes }: Pick<Showcase, 'nodes'>): Address[] => [
  { name: 'me', path: '/me', as: 'ines' },
  { name: 'me-invited', path: '/me', as: 'tomas' },
  { name: 'tokens', path: '/me/tokens', as: 'ines' },
  { name: 'members', path: '/namespaces/tidewall/members', as: 'ines' },
  { name: 'signers', path: '/namespaces/tidewall/signers', as: 'ines' },
  { name: 'proofs', path: '/namespaces/tidewall/proofs', as: 'ines' },
  { name: 'audit', path: '/namespaces/tidewall/audit', as: 'ines' },
  { name: 'manage', path: '/programs/tidewall/egress-fence/manage', as: 'ines' },
  { name: 'namespace-own', path: '/namespaces/tidewall', as: 'ines' },
  { name: 'program-private', path: '/programs/tidewall/egress-fence', as: 'ines' },
  { name: 'publish-own', path: '/publish', as: 'ines' },
  { name: 'nodes', path: '/nodes', as: 'petra' },
  { name: 'node', path: `/nodes/${nodes.get('fra-edge-1')}`, as: 'petra' },
  { name: 'node-refused', path: `/nodes/${nodes.get('lab-1')}`, as: 'petra' },
  { name: 'node-silent', path: `/nodes/${nodes.get('ams-edge-2')}`, as: 'petra' },
  { name: 'functions', path: '/functions', as: 'petra' },
  { name: 'function', path: '/functions/edge', as: 'petra' },
  { name: 'function-removed', path: '/functions/probation', as: 'petra' },
]

/** Names of {@link signedInPages}, for tables of tests, which are made before there is a showcase. */
export const SIGNED_IN = signedInPages({ nodes: new Map() }).map(({ name }) => name)
