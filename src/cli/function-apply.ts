import type { PrivateKey } from '../attest/keys.ts'
import { signOrder } from '../attest/order.ts'
import type { RegistryClient } from '../client/registry-client.ts'
import { DomainError } from '../domain/errors.ts'
import type { FunctionView } from '../domain/fleet-function.ts'
import { type FunctionSpec, type Order, parseFunction } from '../domain/function.ts'
import { LIMITS } from '../domain/limits.ts'
import { programOf, type ResolvedUse } from '../domain/resolution.ts'
import { checkInstances, reachOf, resolutionsOf } from './check-apply.ts'
import { knownOperators, type OperatorFlags, standingOf } from './current-revision.ts'
import type { Context, Outcome } from './io.ts'
import { readPrivateKey } from './key-file.ts'
import { readLocalText } from './local-file.ts'
import { connect, connectWithToken, type RegistryFlags } from './settings.ts'
import { renderTable } from './table.ts'
import { counted, printable } from './terminal.ts'

/** Flags of `hookline function apply`. */
export interface ApplyFlags extends RegistryFlags, OperatorFlags {
  readonly file: string
  readonly key?: string | undefined
  readonly planOnly: boolean
}

/**
 * Signs a function file as the next revision and hands it in, once its configuration was checked by the releases that its
 * ranges resolve to; with `planOnly`, shows what that would be. Throws `invalid_function`, `not_supported_yet`,
 * `invalid_config`, `invalid_key`, what {@link standingOf} throws, and what the registry refuses.
 */
export async function applyFunction(flags: ApplyFlags, { io, progress }: Context): Promise<Outcome> {
  const spec = parseFunction(await readLocalText(flags.file, LIMITS.order_bytes, 'function'))
  if (flags.planOnly) return planFunction(spec, await connect(io, flags), io)
  if (flags.key === undefined)
    throw new DomainError('usage', 'name the operator key that signs: --key <operator.pem>')
  const key = await readPrivateKey(flags.key, io, flags)
  const operators = await knownOperators(key, flags)
  const client = await connectWithToken(io, flags)
  const revision = (await standingOf(client, spec.name, operators, flags)).revision + 1
  const resolutions = await resolutionsOf(client, spec)
  await checkInstances(client, spec, resolutions)
  warnOfUnresolved(io, resolutions)
  const nodes = await reachOf(client, spec)
  if (nodes.selected === 0)
    io.note(`warning: no enrolled node has the labels of the selector of ${spec.name}\n`)
  progress(`signing revision ${revision} of ${spec.name} as ${key.fingerprint}`)
  const view = await handIn(client, { kind: 'apply', revision, function: spec }, key)
  return {
    json: { name: view.name, revision: view.revision, resolutions: view.resolutions, nodes },
    text: [
      `function ${view.name} revision ${view.revision} is applied, for ${nodes.selected} of ${counted(nodes.enrolled, 'enrolled node')}${nodes.silent === 0 ? '' : `, of which ${nodes.silent} ${nodes.silent === 1 ? 'is' : 'are'} silent`}`,
      renderResolutions(io, view.resolutions),
    ].join('\n'),
  }
}

async function planFunction(spec: FunctionSpec, client: RegistryClient, io: Context['io']): Promise<Outcome> {
  const resolutions = await resolutionsOf(client, spec)
  await checkInstances(client, spec, resolutions)
  warnOfUnresolved(io, resolutions)
  return {
    json: { name: spec.name, applied: false, resolutions },
    text: `function ${spec.name} is sound and not applied\n${renderResolutions(io, resolutions)}`,
  }
}

/** An order may come before its releases; more often a name or a range is mistyped. */
function warnOfUnresolved(io: Context['io'], resolutions: readonly ResolvedUse[]): void {
  for (const { use, version } of resolutions)
    if (version === undefined)
      io.note(
        `warning: no published release fits ${printable(use)}: until one does, nodes keep what they run of this function (see \`hookline show ${programOf(use)}\`)\n`,
      )
}

/** Signs an order and hands it in. Throws `order_invalid`, `too_large`, and what the registry refuses. */
export function handIn(client: RegistryClient, order: Order, key: PrivateKey): Promise<FunctionView> {
  const envelope = signOrder(order, key)
  return order.kind === 'apply'
    ? client.putFunction(order.function.name, envelope)
    : client.removeFunction(order.name, envelope)
}

/** What each range resolves to, or that nothing fits. */
const renderResolutions = (
  io: Context['io'],
  resolutions: readonly { use: string; version?: string | undefined }[],
): string =>
  renderTable(
    io,
    ['use', 'resolves to'],
    resolutions.map(({ use, version }) => [use, version ?? 'no release fits']),
  )
