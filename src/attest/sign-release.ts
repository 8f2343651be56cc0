import { bundleToJSON } from '@sigstore/bundle'
import { DSSEBundleBuilder, type Signature, type Signer } from '@sigstore/sign'
import type { PrivateKey, PublicKey } from './keys.ts'
import { type ReleaseParts, releaseStatement, STATEMENT_TYPE } from './release-statement.ts'
import { signBytes } from './signature.ts'

/** Who signs by a key: a key at hand, or a device or service that keeps it. */
export interface KeySigner {
  readonly publicKey: PublicKey
  /** Gives the bare signature, see {@link signBytes}. */
  sign(message: Buffer): Promise<Buffer>
}

/** A key at hand as one who signs. */
export const localSigner = (key: PrivateKey): KeySigner => ({
  publicKey: key.publicKey,
  sign: async (message) => signBytes(message, key),
})

/**
 * Signs a release: a Sigstore bundle v0.3 (JSON text) with one DSSE envelope over the release's statement and, as the
 * key's hint, base64(sha256(SPKI DER)). No witness: it works offline. Throws `too_large`, `invalid_request`, and what the
 * signer does.
 */
export const signRelease = (release: ReleaseParts, by: PrivateKey | KeySigner): Promise<string> =>
  signStatement(releaseStatement(release), by)

/** The same for any in-toto statement. */
export async function signStatement(statement: Buffer, by: PrivateKey | KeySigner): Promise<string> {
  const signer = sigstoreSigner('sign' in by ? by : localSigner(by))
  const builder = new DSSEBundleBuilder({ signer, witnesses: [] })
  return JSON.stringify(bundleToJSON(await builder.create({ data: statement, type: STATEMENT_TYPE })))
}

const sigstoreSigner = ({ publicKey, sign }: KeySigner): Signer => ({
  sign: async (data): Promise<Signature> => ({
    signature: await sign(data),
    key: {
      $case: 'publicKey',
      publicKey: publicKey.key.export({ type: 'spki', format: 'pem' }).toString(),
      hint: Buffer.from(publicKey.fingerprint.slice('sha256:'.length), 'hex').toString('base64'),
    },
  }),
})
