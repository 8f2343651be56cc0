import { bundleToJSON } from '@sigstore/bundle'
import { DSSEBundleBuilder, type Signature, type Signer } from '@sigstore/sign'
import type { PrivateKey } from './keys.ts'
import { type ReleaseParts, releaseStatement, STATEMENT_TYPE } from './release-statement.ts'
import { signBytes } from './signature.ts'

/**
 * Signs a release: a Sigstore bundle v0.3 (JSON text) with one DSSE envelope over the release's statement and, as the
 * key's hint, base64(sha256(SPKI DER)). No witness: it works offline. Throws `too_large` and `invalid_request`.
 */
export async function signRelease(release: ReleaseParts, privateKey: PrivateKey): Promise<string> {
  const builder = new DSSEBundleBuilder({ signer: keySigner(privateKey), witnesses: [] })
  const bundle = await builder.create({ data: releaseStatement(release), type: STATEMENT_TYPE })
  return JSON.stringify(bundleToJSON(bundle))
}

const keySigner = (privateKey: PrivateKey): Signer => ({
  sign: async (data): Promise<Signature> => ({
    signature: signBytes(data, privateKey),
    key: {
      $case: 'publicKey',
      publicKey: privateKey.publicKey.key.export({ type: 'spki', format: 'pem' }).toString(),
      hint: Buffer.from(privateKey.fingerprint.slice('sha256:'.length), 'hex').toString('base64'),
    },
  }),
})
