import { z } from 'zod'
import { Hook } from './hook.ts'
import { LIMITS } from './limits.ts'
import { Name, ProgramId, Version } from './names.ts'
import { Permission } from './permission.ts'
import { Message } from './release.ts'

/** How programs are found in order: by what fits best, by downloads, by their newest release, or by name. */
export const SearchSort = z.enum(['relevance', 'downloads', 'recent', 'name'])
export type SearchSort = z.infer<typeof SearchSort>

/** Who signed a release: a key, or an identity by a certificate. */
const SignedBy = z.enum(['key', 'identity'])

/** A kernel by its first two numbers, such as 5.15. */
const KernelSeries = z.string().regex(/^[1-9][0-9]{0,2}\.(0|[1-9][0-9]{0,2})$/, 'such as 5.15')

const several = <T extends z.ZodType>(item: T) => z.array(item).max(LIMITS.search_filters)

/** What programs are looked for. Values of one filter are alternatives, filters hold together. */
export const SearchRequest = z.strictObject({
  /** Words; typing errors are forgiven where nothing fits exactly. Empty finds everything. */
  q: z.string().max(LIMITS.search_chars).default(''),
  hook: several(Hook).default([]),
  /** What programs can do; `none`: nothing but let packets pass. */
  permission: several(z.enum([...Permission.options, 'none'])).default([]),
  license: several(z.string().regex(/^[ -~]{1,100}$/, 'an SPDX expression')).default([]),
  namespace: several(Name).default([]),
  signed: several(SignedBy).default([]),
  /** Of namespaces that proved whose they are, or of others. */
  verified: several(z.enum(['yes', 'no'])).default([]),
  /** Programs that run on this kernel, as far as their manifests say. */
  kernel: KernelSeries.optional(),
  sort: SearchSort.default('relevance'),
  limit: z.int().min(1).max(LIMITS.page_items).default(20),
  cursor: z.string().max(400).optional(),
})
export type SearchRequest = z.infer<typeof SearchRequest>

/** A program as it is found. */
export const FoundProgram = z.strictObject({
  program: ProgramId,
  latest: Version,
  summary: z.string(),
  hooks: z.array(Hook),
  permissions: z.array(Permission),
  license: z.string(),
  /** The oldest kernel that its manifest allows. */
  kernel: KernelSeries.optional(),
  signed: SignedBy,
  /** Whether its namespace proved whose it is. */
  verified: z.boolean(),
  downloads: z.int(),
  updatedAt: z.iso.datetime(),
  deprecated: Message.optional(),
})
export type FoundProgram = z.infer<typeof FoundProgram>

/** A value of a filter, and how many programs it would leave, the filter's own values aside. */
const FacetValue = z.strictObject({ value: z.string(), count: z.int() })

/** The filters with their values, the most frequent first. `kernel`: the oldest kernels that manifests allow, the newest first. */
export const Facets = z.strictObject({
  hook: z.array(FacetValue),
  permission: z.array(FacetValue),
  license: z.array(FacetValue),
  namespace: z.array(FacetValue),
  signed: z.array(FacetValue),
  verified: z.array(FacetValue),
  kernel: z.array(FacetValue),
})
export type Facets = z.infer<typeof Facets>

/** A page of what was found. `forgiven`: nothing fits as it was typed, and this is what looks like it. */
export const SearchPage = z.strictObject({
  programs: z.array(FoundProgram),
  total: z.int(),
  facets: Facets,
  forgiven: z.boolean(),
  next: z.string().optional(),
})
export type SearchPage = z.infer<typeof SearchPage>

/** Downloads of a program by day, the newest first. */
export const DownloadHistory = z.strictObject({
  total: z.int(),
  days: z.array(z.strictObject({ day: z.iso.date(), count: z.int() })),
})
export type DownloadHistory = z.infer<typeof DownloadHistory>
