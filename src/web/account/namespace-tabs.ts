import type { Actor } from '../../domain/account.ts'
import { hasRight } from '../../registry/access.ts'
import { type Html, html } from '../html.ts'

const TABS = [
  { path: '', name: 'Programs', right: undefined },
  { path: '/members', name: 'Members', right: 'namespace-read' },
  { path: '/signers', name: 'Signers', right: 'namespace-read' },
  { path: '/proofs', name: 'Proofs', right: 'namespace-read' },
  { path: '/audit', name: 'Audit', right: 'namespace-manage' },
] as const

/** Address of a namespace's page, or of one below it, such as `/members`. */
export const namespaceUrl = (namespace: string, below = ''): string => `/namespaces/${namespace}${below}`

/** The name of a namespace, and its pages that an actor may see. */
export const namespaceHead = (
  namespace: string,
  here: (typeof TABS)[number]['path'],
  actor: Actor,
): Html => html`<h1><a class="plain-link" href="${namespaceUrl(namespace)}">${namespace}</a></h1>
<nav class="tabs" aria-label="Namespace">${TABS.filter(
  ({ right }) => right === undefined || hasRight(actor, right, { ns: namespace }),
).map(
  ({ path, name }) =>
    html`<a href="${namespaceUrl(namespace, path)}"${path === here && html` aria-current="page"`}>${name}</a>`,
)}</nav>`
