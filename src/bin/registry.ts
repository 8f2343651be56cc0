import type { Protection } from '../http/protection.ts'
import type { Services } from '../http/services.ts'
import type { BlobStore } from '../ports/blob-store.ts'
import { startBlobCollector } from '../registry/blob-collector.ts'
import { openDesiredDesk } from '../registry/desired.ts'
import { idTokens } from '../registry/id-token.ts'
import { startLogWorker } from '../registry/log-worker.ts'
import { openLoginDesk } from '../registry/login.ts'
import { openNodeDesk } from '../registry/nodes.ts'
import { startWebhookWorker } from '../registry/webhook-worker.ts'
import type { LogWitness } from '../registry/witnesses.ts'
import { databaseAccounts } from '../store/accounts.ts'
import { databaseAuditLog } from '../store/audit-log.ts'
import { databaseBlobClaims } from '../store/blob-claims.ts'
import { databaseCatalog } from '../store/catalog.ts'
import type { Database } from '../store/database.ts'
import { databaseDownloads } from '../store/downloads.ts'
import { databaseFleet } from '../store/fleet.ts'
import { databaseLifecycle } from '../store/lifecycle.ts'
import { databaseLogins } from '../store/logins.ts'
import { databaseLogs, type LogIdentity } from '../store/logs.ts'
import { databaseNamespaces } from '../store/namespaces.ts'
import { databaseNodes } from '../store/nodes.ts'
import { databasePolicies } from '../store/policies.ts'
import { databaseRevocations } from '../store/revocations.ts'
import { databaseSearch } from '../store/search.ts'
import { databaseTrustedPublishers } from '../store/trusted-publishers.ts'
import { databaseUploads } from '../store/uploads.ts'
import { databaseWebhooks } from '../store/webhooks.ts'
import type { IdentitySettings } from './identity-settings.ts'

/** Puts the registry's services together over an open database and a blob store; `report` is told of its own failures. */
export function composeRegistry(
  database: Database,
  blobs: BlobStore,
  report: Services['report'],
  protection: Protection,
  { publicUrl, ciIssuers, trustedRoot, privateWebhooks, oidc, proofPlaces }: IdentitySettings,
  log: LogIdentity,
  witnesses: readonly LogWitness[] = [],
): Services {
  const clock = (): Date => new Date()
  const { notices } = database
  const logs = databaseLogs(database, log, clock)
  const fleet = databaseFleet(database, logs)
  const nodes = databaseNodes(database)
  const webhooks = databaseWebhooks(database)
  const blobClaims = databaseBlobClaims(database)
  const [accounts, logins] = [databaseAccounts(database), databaseLogins(database)]
  return {
    accounts,
    logins,
    loginDesk: openLoginDesk(oidc, { logins, accounts, clock }),
    namespaces: databaseNamespaces(database, logs),
    catalog: databaseCatalog(database, logs),
    lifecycle: databaseLifecycle(database, logs),
    auditLog: databaseAuditLog(database),
    logs,
    logWitnesses: witnesses.map(({ key }) => key),
    logWorker: startLogWorker({
      ...{ logs, witnesses, notices, clock },
      report: (error) => report(error, 'keeping the log’s checkpoints'),
    }),
    revocations: databaseRevocations(database, logs),
    search: databaseSearch(database),
    downloads: databaseDownloads(database, (error) => report(error, 'keeping download counts')),
    fleet,
    policies: databasePolicies(database),
    nodes,
    blobs,
    blobClaims,
    blobCollector: startBlobCollector({
      ...{ blobClaims, blobs },
      report: (error) => report(error, 'removing bytes that nothing names'),
    }),
    clock,
    nodeDesk: openNodeDesk(nodes, notices, clock),
    desiredDesk: openDesiredDesk(fleet, notices),
    ping: () => database.ping(),
    protection,
    trustedPublishers: databaseTrustedPublishers(database),
    idTokens: idTokens(ciIssuers),
    publicUrl,
    proofPlaces,
    uploads: databaseUploads(database),
    webhooks,
    privateWebhooks,
    webhookWorker: startWebhookWorker(webhooks, clock, {
      allowPrivate: privateWebhooks,
      report: (error) => report(error, 'telling webhooks'),
    }),
    trustedRoot,
    report,
  }
}
