import { createSocket } from 'node:dgram'

/** A name server on loopback that knows TXT records (RFC 1035). */
export interface DnsServer {
  /** As `address:port`. */
  readonly address: string
  readonly records: Map<string, string[]>
  close(): Promise<void>
}

const [TXT, IN, NXDOMAIN] = [16, 1, 3]

/** Starts one. A record of more than 255 bytes is cut into strings, as resolvers expect it. */
export async function startDnsServer(): Promise<DnsServer> {
  const records = new Map<string, string[]>()
  const socket = createSocket('udp4')
  socket.on('message', (query, from) => {
    const labels: string[] = []
    let at = 12
    for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
      labels.push(query.toString('latin1', at + 1, at + 1 + length))
      at += 1 + length
    }
    const question = query.subarray(12, at + 5)
    const found = records.get(labels.join('.').toLowerCase())
    const answers = (found ?? []).map((text) => {
      const strings = (text.match(/.{1,255}/gs) ?? ['']).map((part) =>
        Buffer.concat([Buffer.from([part.length]), Buffer.from(part)]),
      )
      const data = Buffer.concat(strings)
      const head = Buffer.alloc(12)
      head.writeUInt16BE(0xc00c, 0) // the name of the question
      head.writeUInt16BE(TXT, 2)
      head.writeUInt16BE(IN, 4)
      head.writeUInt16BE(data.length, 10)
      return Buffer.concat([head, data])
    })
    const header = Buffer.from(query.subarray(0, 12))
    header.writeUInt16BE(0x8180 | (found === undefined ? NXDOMAIN : 0), 2)
    header.writeUInt16BE(answers.length, 6)
    header.writeUInt32BE(0, 8)
    socket.send(Buffer.concat([header, question, ...answers]), from.port, from.address)
  })
  await new Promise<void>((bound) => socket.bind(0, '127.0.0.1', bound))
  return {
    address: `127.0.0.1:${socket.address().port}`,
    records,
    close: () => new Promise((closed) => socket.close(() => closed())),
  }
}
