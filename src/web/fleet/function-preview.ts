import type { Actor } from '../../domain/account.ts'
import { DomainError } from '../../domain/errors.ts'
import type { FunctionView } from '../../domain/fleet-function.ts'
import { type FunctionSpec, instanceName } from '../../domain/function.ts'
import { HOOKS, type Hook } from '../../domain/hook.ts'
import { releaseRef } from '../../domain/names.ts'
import { resolveProceed } from '../../domain/proceed.ts'
import { programOf } from '../../domain/resolution.ts'
import type { Catalog } from '../../ports/catalog.ts'
import { readableBy } from '../../registry/access.ts'
import { HOOK_WORDS } from '../catalog/packet-path.ts'
import { type Html, html } from '../html.ts'
import { icon } from '../icons.ts'
import { counted } from '../text.ts'
import { place, releaseLink } from './chain-picture.ts'

/** An entry that a function brings to a hook. */
interface PlannedEntry {
  readonly instance: string
  readonly release: string
  readonly entry: string
  readonly arch: string | undefined
  readonly proceed: readonly string[]
}

/** What a function brings to each hook, and of which instances it cannot be said. */
export interface Preview {
  readonly hooks: ReadonlyMap<Hook, readonly PlannedEntry[]>
  readonly unknown: readonly { readonly instance: string; readonly why: string }[]
}

/** What a function brings to each hook by the manifests of the releases that its ranges stand for now, as far as `actor` may read them. */
export async function previewOf(
  catalog: Pick<Catalog, 'releaseDetails'>,
  { instances }: FunctionSpec,
  resolutions: FunctionView['resolutions'],
  actor: Actor,
): Promise<Preview> {
  const versions = new Map(resolutions.map(({ use, version }) => [use, version]))
  const hooks = new Map<Hook, PlannedEntry[]>(HOOKS.map((hook) => [hook, []]))
  const unknown: Preview['unknown'][number][] = []
  for (const instance of instances) {
    const [name, program, version] = [
      instanceName(instance),
      programOf(instance.use),
      versions.get(instance.use),
    ]
    if (version === undefined) {
      unknown.push({ instance: name, why: 'no release fits' })
      continue
    }
    try {
      const { manifest } = await catalog.releaseDetails(program, version, readableBy(actor))
      const proceedOf = resolveProceed(manifest, instance.proceed)
      for (const part of manifest.programs)
        hooks.get(part.hook)?.push({
          ...{ instance: name, release: releaseRef(program, version), entry: part.entry, arch: part.arch },
          proceed: proceedOf(part),
        })
    } catch (thrown) {
      if (!(thrown instanceof DomainError)) throw thrown
      const hidden = thrown.code === 'not_found' || thrown.code === 'version_not_found'
      unknown.push({ instance: name, why: hidden ? 'its program is not yours to read' : thrown.message })
    }
  }
  return { hooks, unknown }
}

/** The same as the way of a packet. */
export function previewPicture({ hooks, unknown }: Preview): Html {
  const stop = (hook: Hook): Html => plannedStop(hook, hooks.get(hook) ?? [])
  return html`<div class="interface"><div class="ways">
<ol class="way" aria-label="In, from the wire to the stack">${place('Wire', 'packets arrive')}${stop('xdp')}${stop('tc-ingress')}${place('Stack', 'sockets and routes')}</ol>
<ol class="way" aria-label="Out, from the stack to the wire">${place('Stack', 'sockets and routes')}${stop('tc-egress')}${place('Wire', 'packets leave')}</ol>
</div></div>
${unknown.length > 0 && html`<p class="quiet">Not drawn: ${unknown.map(({ instance, why }, at) => html`${at > 0 && '; '}<b>${instance}</b>, ${why}`)}.</p>`}`
}

function plannedStop(hook: Hook, entries: readonly PlannedEntry[]): Html {
  const { name } = HOOK_WORDS[hook]
  if (entries.length === 0)
    return html`<li class="bare"><b>${icon(hook)}${name}</b> <small>nothing here</small></li>`
  return html`<li class="stop"><div class="stop-head"><b>${icon(hook)}${name}</b> <small class="quiet">${counted(entries.length, 'entry', 'entries')}</small></div>
<ol class="chain-entries">${entries.map(
    ({ instance, release, entry, arch, proceed }, at) =>
      html`<li class="entry planned"><svg class="rail" viewBox="0 0 72 100" preserveAspectRatio="none" aria-hidden="true"><path class="line" d="M70 0V100"/></svg><span class="at">${at + 1}</span><div class="entry-text"><p class="what"><b>${instance}</b> ${releaseLink(release)} <code>${entry}</code></p><ul class="facts">${arch !== undefined && html`<li>on ${arch}</li>`}<li>${proceed.length === 0 ? 'never goes on' : `goes on after ${proceed.join(', ')}`}</li></ul></div></li>`,
  )}</ol></li>`
}
