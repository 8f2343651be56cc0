import type { ShowRefusal } from './problem.ts'
import type { App } from './route.ts'
import type { Services } from './services.ts'

/** What people browse, over the same services as the interface for programs. */
export interface Pages {
  /** Adds the routes of all pages. `closing` ends what goes on for long when the server closes. */
  register(app: App, services: Services, closing: AbortSignal): Promise<void>
  /** Shows a refusal to whoever looks. */
  readonly refuse: ShowRefusal
}

/** Nothing to browse: refusals are answered as they are to programs. */
export const NO_PAGES: Pages = {
  register: async () => {},
  refuse: (problem, _request, reply) => reply.type('application/problem+json').send(JSON.stringify(problem)),
}
