import type { Hook } from '../../domain/hook.ts'
import { type Content, type Html, html } from '../html.ts'
import { icon } from '../icons.ts'

/** What each hook is called, and what meets a packet there. */
export const HOOK_WORDS: Readonly<Record<Hook, { name: string; where: string }>> = {
  xdp: { name: 'XDP', where: 'in the driver, before the kernel spends anything on the packet' },
  'tc-ingress': {
    name: 'TC ingress',
    where: 'on its way into the stack, with all that the kernel knows of it',
  },
  'tc-egress': { name: 'TC egress', where: 'on its way out, after routing' },
}

/** A hook with its icon. */
export const hookTag = (hook: Hook): Html =>
  html`<span class="hook hook-${hook}">${icon(hook)}${HOOK_WORDS[hook].name}</span>`

/**
 * The way of a packet through a host, from one interface to the other, with the hooks on it; those of `at` are marked, and each may
 * have something said or linked beside it. An ordered list, so that it reads well without its look.
 */
export function packetPath(at: readonly Hook[], beside: (hook: Hook) => Content = () => undefined): Html {
  const stop = (
    hook: Hook,
  ): Html => html`<li class="stop hook-${hook}"${at.includes(hook) && html` data-here`}>
<span class="dot">${icon(hook)}</span>
<b>${HOOK_WORDS[hook].name}</b>
<small>${HOOK_WORDS[hook].where}</small>
${beside(hook)}
</li>`
  const place = (name: string, what: string): Html =>
    html`<li class="place"><span class="dot"></span><b>${name}</b><small>${what}</small></li>`
  return html`<ol class="path" aria-label="The way of a packet through a host">
${place('Wire', 'a packet arrives')}
${stop('xdp')}
${stop('tc-ingress')}
${place('Stack', 'sockets and routes')}
${stop('tc-egress')}
${place('Wire', 'a packet leaves')}
</ol>`
}
