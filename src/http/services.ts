import type { TrustedRoot } from '../attest/trusted-root.ts'
import type { Accounts } from '../ports/accounts.ts'
import type { AuditLog } from '../ports/audit-log.ts'
import type { BlobClaims } from '../ports/blob-claims.ts'
import type { BlobStore } from '../ports/blob-store.ts'
import type { Catalog } from '../ports/catalog.ts'
import type { Clock } from '../ports/clock.ts'
import type { Fleet } from '../ports/fleet.ts'
import type { Lifecycle } from '../ports/lifecycle.ts'
import type { Logs } from '../ports/log.ts'
import type { Logins } from '../ports/logins.ts'
import type { Namespaces } from '../ports/namespaces.ts'
import type { Nodes } from '../ports/nodes.ts'
import type { Policies } from '../ports/policies.ts'
import type { Revocations } from '../ports/revocations.ts'
import type { Downloads, Search } from '../ports/search.ts'
import type { TrustedPublishers } from '../ports/trusted-publishers.ts'
import type { Uploads } from '../ports/uploads.ts'
import type { Webhooks } from '../ports/webhooks.ts'
import type { BlobCollector } from '../registry/blob-collector.ts'
import type { DesiredDesk } from '../registry/desired.ts'
import type { IdTokens } from '../registry/id-token.ts'
import type { LogWorker } from '../registry/log-worker.ts'
import type { LoginDesk } from '../registry/login.ts'
import type { NodeDesk } from '../registry/nodes.ts'
import type { ProofPlaces } from '../registry/proofs.ts'
import type { WebhookWorker } from '../registry/webhook-worker.ts'
import type { NoteKey } from '../tlog/note-key.ts'
import type { ReportFailure } from './problem.ts'
import type { Protection } from './protection.ts'

/** What the HTTP edge is built over. */
export interface Services {
  readonly accounts: Accounts
  readonly namespaces: Namespaces
  readonly catalog: Catalog
  readonly lifecycle: Lifecycle
  readonly auditLog: AuditLog
  readonly logs: Logs
  readonly logWorker: LogWorker
  /** Keys of the witnesses that are asked. */
  readonly logWitnesses: readonly NoteKey[]
  readonly revocations: Revocations
  readonly search: Search
  readonly downloads: Downloads
  readonly fleet: Fleet
  readonly policies: Policies
  readonly nodes: Nodes
  readonly blobs: BlobStore
  readonly blobClaims: BlobClaims
  readonly blobCollector: BlobCollector
  readonly clock: Clock
  readonly nodeDesk: NodeDesk
  readonly desiredDesk: DesiredDesk
  readonly protection: Protection
  readonly trustedPublishers: TrustedPublishers
  readonly webhooks: Webhooks
  /** Whether webhooks may lead to addresses that are not of the internet, and without TLS. */
  readonly privateWebhooks: boolean
  readonly logins: Logins
  readonly loginDesk: LoginDesk
  readonly proofPlaces: ProofPlaces
  readonly uploads: Uploads
  readonly webhookWorker: WebhookWorker
  readonly idTokens: IdTokens
  readonly trustedRoot: TrustedRoot | undefined
  /** Its address as clients know it; undefined: the one that it listens on. */
  readonly publicUrl: string | undefined
  /** Resolves when the database answers. */
  readonly ping: () => Promise<void>
  readonly report: ReportFailure
}
