import type { Signer } from '../../domain/signer.ts'
import { type Html, html } from '../html.ts'
import { icon } from '../icons.ts'
import { shortDigest } from '../text.ts'

/** Who signed, in a line: as the registry says, which is not to be believed without checking. */
export const signerLine = (signer: Signer): Html =>
  typeof signer === 'string'
    ? html`<span class="signer" title="signed by the key ${signer}">${icon('key')}<code>${shortDigest(signer)}</code></span>`
    : html`<span class="signer" title="signed by ${signer.identity}, whom ${signer.issuer} vouches for">${icon('key')}<bdi>${shortIdentity(signer.identity)}</bdi></span>`

/** Who signed, whole: to be compared, and nothing to copy into a policy. */
export const wholeSigner = (signer: Signer): Html =>
  typeof signer === 'string'
    ? html`<dl class="signer-whole"><dt>Key, by its fingerprint</dt><dd><code>${signer}</code></dd></dl>`
    : html`<dl class="signer-whole"><dt>Identity</dt><dd><code>${signer.identity}</code></dd><dt>Vouched for by</dt><dd><code>${signer.issuer}</code></dd></dl>`

/** Of a pipeline, where its code is. */
function shortIdentity(identity: string): string {
  const path = identity.replace(/^https?:\/\//, '').replace(/@.*$/, '')
  return path.length > 48 ? `${path.slice(0, 47)}…` : path
}
