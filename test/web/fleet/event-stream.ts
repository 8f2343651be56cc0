/** A server-sent event. */
interface StreamEvent {
  readonly event: string
  readonly data: string
}

/** A stream of events as a browser's would read it. */
export interface EventStream {
  readonly status: number
  readonly headers: Headers
  /** The next event; undefined at the end of the stream. */
  next(): Promise<StreamEvent | undefined>
  /** Goes away, as a browser that closes the page. */
  close(): void
}

/** Opens a stream with a session. */
export async function openStream(url: string, token: string): Promise<EventStream> {
  const gone = new AbortController()
  const answer = await fetch(url, {
    headers: { cookie: `hookline=given.${token}` },
    redirect: 'manual',
    signal: gone.signal,
  })
  const chunks = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  return {
    status: answer.status,
    headers: answer.headers,
    next: async () => {
      for (;;) {
        const end = text.indexOf('\n\n')
        if (end >= 0) {
          const [lines, rest] = [text.slice(0, end).split('\n'), text.slice(end + 2)]
          text = rest
          const of = (name: string): string[] =>
            lines.filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2))
          const [event] = of('event')
          if (event !== undefined) return { event, data: of('data').join('\n') }
          continue
        }
        const read = await chunks?.read()
        if (read === undefined || read.done) return undefined
        text += read.value
      }
    },
    close: () => gone.abort(),
  }
}
