import { closeFd } from './libc.ts'

/** An open file descriptor, whoever closes it. */
export interface OpenFile {
  readonly number: number
}

/** An open file descriptor that is closed once, at the latest when its scope ends (`using`). */
export class Fd implements OpenFile, Disposable {
  #fd: number
  constructor(fd: number) {
    this.#fd = fd
  }
  /** The descriptor's number. Throws when it is closed: its number may be another file by now. */
  get number(): number {
    if (this.#fd < 0) throw new Error('file descriptor is closed')
    return this.#fd
  }
  close(): void {
    if (this.#fd >= 0) closeFd(this.#fd)
    this.#fd = -1
  }
  [Symbol.dispose](): void {
    this.close()
  }
}
