import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import type { NoteSignerKey } from '../../src/tlog/note.ts'
import { type NoteKey, noteKeyOf } from '../../src/tlog/note-key.ts'

/** A new key under a name. */
export function newSigner(name: string, type: NoteKey['type'] = 'note'): NoteSignerKey {
  const { privateKey } = generateKeyPairSync('ed25519')
  return { key: noteKeyOf(name, type, privateKey), privateKey }
}

/** The key made of a seed of 32 bytes (RFC 8032), which Node takes in PKCS#8 (RFC 8410) only. */
export function signerOfSeed(name: string, seed: Buffer): NoteSignerKey {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed])
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  return { key: noteKeyOf(name, 'note', privateKey), privateKey }
}
