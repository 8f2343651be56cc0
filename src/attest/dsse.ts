import { z } from 'zod'

/**
 * DSSE v1 pre-authentication encoding: what is signed in place of the payload, so that a signature over one type of
 * document is never one over another. Source: DSSE specification v1, `protocol.md`.
 */
export function preAuthEncoding(payloadType: string, payload: Buffer): Buffer {
  const type = Buffer.from(payloadType, 'utf8')
  return Buffer.concat([
    Buffer.from(`DSSEv1 ${type.length} `),
    type,
    Buffer.from(` ${payload.length} `),
    payload,
  ])
}

/** Canonical base64 (RFC 4648 section 4): decoders that skip foreign characters would read bytes nobody sees. */
export const Base64 = z.base64()

/** A DSSE envelope with exactly one signature (DSSE v1, `envelope.md`). */
export const Envelope = z.strictObject({
  payload: Base64,
  payloadType: z.string().max(200),
  signatures: z.tuple([z.strictObject({ keyid: z.string().max(200).default(''), sig: Base64 })]),
})
