import type { PrivateKey } from '../attest/keys.ts'
import { signOrder } from '../attest/order.ts'
import type { RegistryClient } from '../client/registry-client.ts'
import { DomainError } from '../domain/errors.ts'
import type { FunctionView } from '../domain/fleet-function.ts'
import { type FunctionSpec, type Order, parseFunction, requireSupportedFunction } from '../domain/function.ts'
import { LIMITS } from '../domain/limits.ts'
import { programOf, resolveUses, usesOf } from '../domain/resolution.ts'
import type { Context, Outcome } from './io.ts'
import { readPrivateKey } from './key-file.ts'
import { readLocalText } from './local-file.ts'
import { connect, connectWithToken, type RegistryFlags } from './settings.ts'
import { renderTable } from './table.ts'

/** Flags of `hookline function apply`. */
export interface ApplyFlags extends RegistryFlags {
  readonly file: string
  readonly key?: string | undefined
  readonly planOnly: boolean
}

/**
 * Signs a function file as the next revision and hands it in; with `planOnly`, shows what that would be. Throws
 * `invalid_function`, `not_supported_yet`, `invalid_key`, and what the registry refuses.
 */
export async function applyFunction(flags: ApplyFlags, { io, progress }: Context): Promise<Outcome> {
  const spec = parseFunction(await readLocalText(flags.file, LIMITS.order_bytes, 'function'))
  requireSupportedFunction(spec)
  if (flags.planOnly) return planFunction(spec, await connect(io, flags), io)
  if (flags.key === undefined)
    throw new DomainError('usage', 'name the operator key that signs: --key <operator.pem>')
  const key = await readPrivateKey(flags.key)
  const client = await connectWithToken(io, flags)
  const revision = await nextRevision(client, spec.name)
  progress(`signing revision ${revision} of ${spec.name} as ${key.fingerprint}`)
  const view = await handIn(client, { kind: 'apply', revision, function: spec }, key)
  return {
    json: { name: view.name, revision: view.revision, resolutions: view.resolutions },
    text: `function ${view.name} revision ${view.revision} is applied\n${renderResolutions(io, view.resolutions)}`,
  }
}

async function planFunction(spec: FunctionSpec, client: RegistryClient, io: Context['io']): Promise<Outcome> {
  const uses = usesOf({ kind: 'apply', revision: 1, function: spec })
  const versions = new Map<string, string[]>()
  for (const program of new Set(uses.map(programOf)))
    versions.set(
      program,
      (await client.program(program)).versions.map(({ version }) => version),
    )
  const resolutions = resolveUses(uses, versions)
  return {
    json: { name: spec.name, applied: false, resolutions },
    text: `function ${spec.name} is sound and not applied\n${renderResolutions(io, resolutions)}`,
  }
}

/**
 * The revision after the one that the registry holds. It may lie, and gains nothing: nodes refuse what is not newer than what
 * they have seen. Throws what the registry's answer throws, but for a function that does not exist yet.
 */
export async function nextRevision(client: RegistryClient, name: string): Promise<number> {
  const current = await client.function(name).catch((thrown: unknown) => {
    if (thrown instanceof DomainError && thrown.code === 'not_found') return undefined
    throw thrown
  })
  return (current?.revision ?? 0) + 1
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
