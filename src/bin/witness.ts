import type { Context } from '../cli/io.ts'
import { readPrivateKey } from '../cli/key-file.ts'
import type { WitnessFlags } from '../cli/service-commands.ts'
import { jsonText, printable } from '../cli/terminal.ts'
import { DomainError } from '../domain/errors.ts'
import { serveWitness } from '../http/witness-server.ts'
import { lockDirectory } from '../store/directory-lock.ts'
import { openWitnessState } from '../store/witness-state.ts'
import { formatNoteKey, noteKeyOf, parseNoteKey } from '../tlog/note-key.ts'
import { parseRecoveryKey } from '../tlog/recovery.ts'
import { openWitness } from '../witness/witness.ts'

/**
 * Runs a witness in the foreground until SIGINT or SIGTERM: prints its address and its verifier key; `json` prints them as one
 * JSON line. Throws `log_key_invalid`, `state_in_use`, `address_in_use`, `file_unwritable`, and what reading the key does.
 */
export async function runWitness(flags: WitnessFlags, { io, json }: Context): Promise<void> {
  const stopped = new Promise<void>((stop) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop())
  })
  const { key: privateKey } = await readPrivateKey(flags.key, io, flags)
  const key = noteKeyOf(flags.name, 'cosignature', privateKey)
  const logs = flags.log.map(parseNoteKey)
  // a log that vouches for itself is no witness: no reader would count it
  if (logs.some(({ publicKey }) => publicKey.equals(key.publicKey)))
    throw new DomainError(
      'log_key_invalid',
      `${flags.key} is the key of a log, a witness needs one of its own`,
    )
  const recoveryKeys = flags.recoveryKey.map((text) => parseRecoveryKey(text, [key, ...logs]))
  const state = await openWitnessState(flags.state)
  const lock = await lockDirectory(flags.state)
  try {
    const witness = await openWitness({
      ...{ signer: { key, privateKey }, logs, recoveryKeys, state },
      ...{ clock: () => new Date(), say: (line) => io.note(printable(line)) },
    })
    const { host, port } = flags.listen
    const report = (error: unknown): void => console.error('hookline:', error)
    const server = await serveWitness(witness, formatNoteKey(key), { host, port, report })
    if (json) console.log(jsonText({ url: server.url, key: formatNoteKey(key) }))
    else {
      console.log(`Hookline witness on ${server.url}`)
      console.log(`  verifier key  ${formatNoteKey(key)}`)
      for (const { name } of logs) console.log(`  witnesses     ${name}`)
    }
    await stopped
    await server.close()
  } finally {
    await lock.release()
  }
}
