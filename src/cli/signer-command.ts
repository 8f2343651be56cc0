import { spawn } from 'node:child_process'
import type { PublicKey } from '../attest/keys.ts'
import type { KeySigner } from '../attest/sign-release.ts'
import { holds } from '../attest/signature.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'

/**
 * Who signs by a command, such as one that asks a key management service or a PKCS#11 token: it gets the bytes to sign on
 * standard input and writes the bare signature, 64 bytes for Ed25519, a DER ECDSA-Sig-Value for P-256. No shell sees the
 * command; words are parted by spaces, and quotes keep one together. A signature that is not the key's is refused here.
 * Signing throws `signer_command_failed`.
 */
export function commandSigner(command: string, publicKey: PublicKey): KeySigner {
  const words = [...command.matchAll(/"([^"]*)"|'([^']*)'|[^\s"']+/g)].map(
    ([word, double, single]) => double ?? single ?? word,
  )
  return {
    publicKey,
    sign: async (message) => {
      const signature = await outputOf(words, message)
      if (!holds(message, signature, publicKey))
        throw failure(`it wrote ${signature.length} bytes, no signature of ${publicKey.fingerprint}`)
      return signature
    },
  }
}

const failure = (why: string, cause?: unknown): DomainError =>
  new DomainError('signer_command_failed', `the command that signs failed: ${why}`, { cause })

function outputOf([file = '', ...args]: readonly string[], input: Buffer): Promise<Buffer> {
  if (file === '') throw new DomainError('usage', '--signer-command names no command')
  return new Promise((done, refuse) => {
    // what it says, it says to the person who has to touch the token
    const child = spawn(file, args, {
      ...{ stdio: ['pipe', 'pipe', 'inherit'], shell: false },
      // a timer of its own would outlive a command that never began
      ...{ signal: AbortSignal.timeout(LIMITS.signer_command_ms), killSignal: 'SIGKILL' },
    })
    const parts: Buffer[] = []
    let bytes = 0
    child.stdout.on('data', (part: Buffer) => {
      bytes += part.length
      if (bytes <= LIMITS.signer_command_bytes) parts.push(part)
      else child.kill('SIGKILL')
    })
    child.stdin.on('error', () => {}) // one that does not read all says so by how it ends
    child.on('error', (cause) => refuse(failure(`${file} cannot be run: ${cause.message}`, cause)))
    child.on('close', (code, signal) =>
      code === 0 ? done(Buffer.concat(parts)) : refuse(failure(`${file} ended with ${code ?? signal}`)),
    )
    child.stdin.end(input)
  })
}
