import type { Signer } from '../domain/signer.ts'
import { type Html, html } from './html.ts'
import { icon } from './icons.ts'
import { copied } from './snippet.ts'
import { shortDigest } from './text.ts'

/** Who signed, in a line: as the registry says, which is not to be believed without checking. */
export const signerLine = (signer: Signer): Html =>
  typeof signer === 'string'
    ? html`<span class="signer" title="signed by the key ${signer}">${icon('key')}<code>${shortDigest(signer)}</code></span>`
    : html`<span class="signer" title="signed by ${signer.identity}, whom ${signer.issuer} vouches for">${icon('key')}<bdi>${shortIdentity(signer.identity)}</bdi></span>`

/** Who signed, whole. */
export const wholeSigner = (signer: Signer): Html =>
  typeof signer === 'string'
    ? html`<dl class="signer-whole"><dt>Key, by its fingerprint</dt><dd>${copied(signer, signer)}</dd></dl>`
    : html`<dl class="signer-whole"><dt>Identity</dt><dd>${copied(signer.identity, signer.identity)}</dd><dt>Vouched for by</dt><dd>${copied(signer.issuer, signer.issuer)}</dd></dl>`

/** Of a pipeline, where its code is. */
function shortIdentity(identity: string): string {
  const path = identity.replace(/^https?:\/\//, '').replace(/@.*$/, '')
  return path.length > 48 ? `${path.slice(0, 47)}…` : path
}
