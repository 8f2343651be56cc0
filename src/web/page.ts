import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Actor } from '../domain/account.ts'
import type { Html } from './html.ts'

/** Parts of the navigation. */
type Section = 'programs' | 'docs' | 'fleet' | 'mine'

/** What a page shows. */
export interface Page {
  /** In a few words, for the window and for search engines. */
  readonly title: string
  /** In a sentence, for search engines and previews of links. */
  readonly description?: string
  readonly main: Html
  /** Address of an Atom feed of what the page is about. */
  readonly feed?: string
  /** The one address of what the page shows, when it has several. */
  readonly canonical?: string
  /** Scripts of src/web/assets beside the usual one; the page must be of use without them. */
  readonly scripts?: readonly string[]
  /** Part of the navigation that it belongs to. */
  readonly section?: Section
  readonly status?: number
}

/** Sends the browser elsewhere, by a GET (RFC 9110 section 15.4.4). */
export interface Elsewhere {
  readonly location: string
}

/** A look at a page. */
export interface Visit {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly actor: Actor
  /** Parts of the path by name. */
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  /** What a form sent; empty for a look. */
  readonly form: URLSearchParams
  readonly now: Date
}
