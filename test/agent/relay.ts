import { once } from 'node:events'
import { connect, createServer, type ListenOptions, type Socket } from 'node:net'
import type { Lab, Namespace } from '../../tools/lab/namespaces.ts'

/** Passes connections on to a registry, until it is told to fall silent. */
export interface Relay {
  /** Its address, when it listens on a port. */
  readonly url: string
  /** From the answer on that has `text` in it, nothing is passed on to the registry, and nobody new is let in. */
  silentAfter(text: string): void
  /** Passes all on again. */
  speak(): void
  close(): Promise<void>
}

/** Starts a relay to the registry at `upstream`, which is looked up anew for each connection. */
export async function startRelay(upstream: string, listen: ListenOptions): Promise<Relay> {
  const target = new URL(upstream)
  const sockets = new Set<Socket>()
  let silent = false
  let last: string | undefined
  const keep = (socket: Socket, other: () => Socket): void => {
    sockets.add(socket)
    socket.on('error', () => other().destroy())
    socket.on('close', () => {
      sockets.delete(socket)
      other().destroy()
    })
  }
  const server = createServer((near) => {
    if (silent) return void near.destroy()
    const far = connect(Number(target.port), target.hostname)
    keep(near, () => far)
    keep(far, () => near)
    near.on('data', (bytes) => {
      if (!silent) far.write(bytes)
    })
    far.on('data', (bytes) => {
      near.write(bytes)
      if (last !== undefined && bytes.includes(last)) silent = true
    })
  })
  server.listen(listen)
  await once(server, 'listening')
  const address = server.address()
  return {
    url: address === null || typeof address === 'string' ? '' : `http://127.0.0.1:${address.port}`,
    silentAfter: (text) => {
      last = text
    },
    speak: () => {
      last = undefined
      silent = false
      for (const socket of sockets) socket.destroy() // what was swallowed is asked again
    },
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** Listens on a socket of the file system for what a process in another namespace passes on. */
const PASS_ON = `
  const { connect, createServer } = require('node:net')
  const [host, port, path] = process.argv.slice(1)
  createServer((near) => {
    const far = connect(path)
    near.pipe(far).pipe(near)
    for (const [one, other] of [[near, far], [far, near]]) one.on('error', () => other.destroy())
  }).listen(Number(port), host, () => console.log('ready'))
`

/** Lets a namespace reach what listens at `path` by an address of its own. The process ends with the lab. */
export async function listenInside(
  lab: Lab,
  namespace: Namespace,
  { host, port }: { readonly host: string; readonly port: number },
  path: string,
): Promise<void> {
  const args = ['-e', PASS_ON, host, String(port), path]
  const child = lab.spawn(namespace, process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit').then(() => Promise.reject(new Error('the bridge did not start')))
  ended.catch(() => {}) // it ends later, too
  if (child.stdout === null) throw new Error('the bridge needs a pipe for its output')
  await Promise.race([once(child.stdout, 'data'), ended])
}
