import { z } from 'zod'
import { Labels } from './function.ts'
import { AttachMode, EntryForm, Hook, VerdictCounts } from './hook.ts'
import { LIMITS } from './limits.ts'
import { Digest, InstanceName, Name, Use, Version } from './names.ts'
import { PublicKeyText } from './namespace.ts'
import { SignedPolicy } from './policy-document.ts'
import { ReleaseDescriptor } from './release.ts'
import { SignedRevocation } from './revocation.ts'

/** A host name: what a node is called, and its folder in bpffs. */
export const NodeName = z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/, 'a host name')

/** What a node says of itself at enrolment. */
export const NodeFacts = z.strictObject({
  name: NodeName,
  labels: Labels,
  kernel: z.string().max(128),
  arch: z.string().max(32),
  agent: z.string().max(64),
})
export type NodeFacts = z.infer<typeof NodeFacts>

/** A node asks to join with a join token and the public half of a key that never leaves it. */
export const Enrolment = z.strictObject({
  token: z.string().max(200),
  publicKey: PublicKeyText,
  facts: NodeFacts,
})
export type Enrolment = z.infer<typeof Enrolment>

/** The order an operator signed, as a DSSE envelope (JSON text, kept byte for byte). */
const SignedOrder = z.strictObject({
  name: Name,
  revision: z.int().min(1).max(LIMITS.revision_most),
  envelope: z.string().max(LIMITS.order_bytes),
})

/** What the registry answers to `use` ranges. The node checks each against the range itself. */
const Resolution = z.strictObject({ use: Use, version: Version })

/** Everything a node is to run, whole. Nothing in it is believed before its signatures hold. */
export const Desired = z.strictObject({
  functions: z.array(SignedOrder).max(LIMITS.desired_functions),
  resolutions: z.array(Resolution).max(4096),
  releases: z.array(ReleaseDescriptor).max(4096),
  /** Keys of signers and operators; the node uses one only if its fingerprint is in its policy. */
  keys: z.array(PublicKeyText).max(4096),
  /** What was revoked of the programs that it names; a node believes what its policy lets it. */
  revocations: z.array(SignedRevocation).max(LIMITS.desired_revocations).default([]),
  /** Policies of owners; a node obeys none that its trust.yaml does not ask for. */
  policies: z.array(SignedPolicy).max(LIMITS.policies).optional(),
})
export type Desired = z.infer<typeof Desired>

const Parts = Desired.pick({ resolutions: true, releases: true, keys: true })

/** What a function last ran from, all of it verified then: enough to verify and build it again without a registry. */
export const Proven = z.strictObject({
  function: Name,
  /** The order that it was built by, and the key of its operator. */
  envelope: z.string().max(LIMITS.order_bytes),
  operatorKey: PublicKeyText,
  ...Parts.shape,
  /** What it ran from before, of other releases: to go back to when these are revoked. */
  before: Parts.optional(),
})
export type Proven = z.infer<typeof Proven>

/** An error in a report: code, what happened, what to do; `log` has the last useful lines of a verifier's log. */
export const ErrorView = z.strictObject({
  code: z.string().max(64),
  message: z.string().max(4096),
  remedy: z.string().max(1024),
  log: z.string().max(16_384).optional(),
})
export type ErrorView = z.infer<typeof ErrorView>

/** One entry of a running chain. */
const ObservedEntry = z.strictObject({
  position: z.int().min(1),
  function: Name,
  instance: InstanceName,
  release: z.string(),
  entry: z.string(),
  object: Digest,
  proceed: z.array(z.string()),
  /** How the entry was made part of the chain. */
  form: EntryForm,
  /** Packets behind this entry by verdict since the running generation took over. */
  packets: VerdictCounts,
  /** The same over all generations of the chain that held this instance's entry. */
  total: VerdictCounts,
})

/** The chain that runs on one hook of one interface. */
export const ObservedChain = z.strictObject({
  netns: z.string(),
  interface: z.string(),
  ifindex: z.int().min(1),
  hook: Hook,
  mode: AttachMode,
  /** The functions whose entries it has, in order. */
  functions: z.array(z.strictObject({ name: Name, revision: z.int().min(1) })).max(LIMITS.desired_functions),
  generation: z.int().min(1),
  /** 0 where the kernel has no link for it (clsact). */
  linkId: z.int().min(0),
  programId: z.int().min(1),
  programTag: z.string(),
  since: z.iso.datetime(),
  entries: z.array(ObservedEntry).max(LIMITS.chain_entries),
})
export type ObservedChain = z.infer<typeof ObservedChain>

/** What became of an instance whose release was revoked: another one runs, its entries left the chains, or it drops all. */
const WithdrawnInstance = z.strictObject({
  instance: InstanceName,
  release: z.string(),
  action: z.enum(['previous', 'detach', 'drop']),
})
export type WithdrawnInstance = z.infer<typeof WithdrawnInstance>

/** How a function fares on a node: the revision accepted, and what stands in the way of the newest one. */
export const ObservedFunction = z.strictObject({
  name: Name,
  revision: z.int().min(0),
  state: z.enum(['running', 'waiting', 'refused', 'removed']),
  error: ErrorView.optional(),
  /** What became of instances of which a release is revoked: an older one runs, or there is nothing that they may run. */
  withdrawn: z.array(WithdrawnInstance).max(LIMITS.function_instances).optional(),
})
export type ObservedFunction = z.infer<typeof ObservedFunction>

/** A node's report of what its kernel runs. */
export const Observed = z.strictObject({
  at: z.iso.datetime(),
  agent: z.string().max(64),
  functions: z.array(ObservedFunction).max(1024),
  chains: z.array(ObservedChain).max(1024),
  /** What failed outside any function, such as the desired state itself. */
  errors: z.array(ErrorView).max(64),
  /** Revocations that it believes and ignored, and how often it acted on one since it was started. */
  revocations: z
    .strictObject({
      believed: z.int().min(0),
      ignored: z.int().min(0),
      previous: z.int().min(0),
      detach: z.int().min(0),
      drop: z.int().min(0),
    })
    .optional(),
})
export type Observed = z.infer<typeof Observed>

/** A node as operators see it. */
export const NodeView = z.strictObject({
  id: z.string(),
  facts: NodeFacts,
  key: Digest,
  /** Since when it has this key. */
  keySince: z.iso.datetime(),
  enrolledAt: z.iso.datetime(),
  lastSeenAt: z.iso.datetime().optional(),
  observed: Observed.optional(),
})
export type NodeView = z.infer<typeof NodeView>

/** All nodes by name. */
export const NodeList = z.strictObject({ nodes: z.array(NodeView) })

/** What a node is known by from its enrolment on. */
export const Enrolled = z.strictObject({ id: z.string().max(64) })

/** Who a node is: its id at the registry, what selectors see of it, and its private key, which never leaves it (PKCS#8 PEM). */
export const Identity = z.strictObject({
  registry: z.string(),
  id: z.string(),
  name: NodeName,
  labels: Labels,
  privateKey: z.string(),
  /** Since when it has this key; unknown of one from before keys were replaced. */
  keySince: z.iso.datetime().optional(),
  /** The key that is to replace it, which the registry may know already. */
  nextKey: z.string().optional(),
  /** Name of the network namespace that its agent looks after, empty for the host's own; unknown of one from before it was kept. */
  netns: z.string().optional(),
})
export type Identity = z.infer<typeof Identity>

/** The newest order that a node accepted for a function: what it refuses older ones by. */
export const AcceptedOrder = z.strictObject({
  ...SignedOrder.shape,
  /** The operator's key, so that the order can be verified again without the registry. */
  operatorKey: PublicKeyText,
  /** What this order made of the function when it cut the node off from its registry: not to be tried again. */
  takenBack: Digest.optional(),
  /** It is for other nodes, and no older one was for this node: it was never obeyed here. */
  elsewhere: z.literal(true).optional(),
})
export type AcceptedOrder = z.infer<typeof AcceptedOrder>
