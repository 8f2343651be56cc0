import type { ErrorCode } from '../../src/domain/errors.ts'
import type { NodeMount } from './node-mounts.ts'
import * as atNode from './node-mounts.ts'
import * as orders from './order-mounts.ts'
import type { RegistryMount } from './registry-mounts.ts'
import * as atRegistry from './registry-mounts.ts'

/** The code of a refusal and how to provoke it, or why the attack does not come that way. */
type Outcome<M> = { readonly code: ErrorCode; readonly mount: M } | { readonly why: string }

/** An attack that must fail. */
export interface Attack {
  readonly name: string
  /** What it is after. */
  readonly asset: string
  readonly stops: string
  readonly registry: Outcome<RegistryMount>
  readonly node: Outcome<NodeMount>
  /** Why it has a code of another attack, where it has. */
  readonly shares?: string
}

/** Every attack that is tested, and documented in docs/security.md. */
export const ATTACKS: readonly Attack[] = [
  {
    name: 'tampered object',
    asset: 'what runs',
    stops: 'the digest is held against the bytes, the signature against the digest',
    registry: { code: 'subject_mismatch', mount: atRegistry.tamperedObject },
    node: { code: 'digest_mismatch', mount: atNode.tamperedObject },
  },
  {
    name: 'tampered object, its digest altered to fit',
    asset: 'what runs',
    stops: 'one signature names the digests of all files',
    registry: {
      why: 'A publisher states no digests: the registry takes them from the bytes, so this is the row above.',
    },
    node: { code: 'subject_mismatch', mount: atNode.tamperedWithDigest },
  },
  {
    name: 'tampered manifest',
    asset: 'what a program may do, and how it is configured',
    stops: 'the manifest is one of the signed files',
    registry: { code: 'manifest_mismatch', mount: atRegistry.tamperedManifest },
    node: { code: 'manifest_mismatch', mount: atNode.tamperedManifest },
  },
  {
    name: 'object of another release (mix and match)',
    asset: 'what runs',
    stops: 'one signature binds the set: manifest and files',
    registry: { code: 'subject_mismatch', mount: atRegistry.mixAndMatch },
    node: { code: 'subject_mismatch', mount: atNode.mixAndMatch },
    shares: 'A file is known by its digest alone: one of another release is one that was altered.',
  },
  {
    name: 'unsigned',
    asset: 'what runs',
    stops: 'no bundle, no release',
    registry: { code: 'bundle_missing', mount: atRegistry.unsigned },
    node: { code: 'bundle_missing', mount: atNode.unsigned },
  },
  {
    name: 'wrong signer',
    asset: 'what runs',
    stops: 'only keys that the namespace, and the node’s own policy, name',
    registry: { code: 'signer_not_allowed', mount: atRegistry.wrongSigner },
    node: { code: 'signer_not_allowed', mount: atNode.wrongSigner },
  },
  {
    name: 'right signer of another namespace',
    asset: 'what runs',
    stops: 'signers are named by namespace, and by rule of the policy',
    registry: { code: 'signer_not_allowed', mount: atRegistry.neighbour },
    node: { code: 'signer_not_allowed', mount: atNode.neighbour },
    shares:
      'To the rule that speaks for a program, whoever it does not name is a stranger. The message has the fingerprint.',
  },
  {
    name: 'revoked key',
    asset: 'what runs',
    stops: 'its time at the registry ends; on the node it is taken out of trust.yaml',
    registry: { code: 'key_expired', mount: atRegistry.revokedKey },
    node: { code: 'signer_not_allowed', mount: atNode.revokedKey },
    shares: 'A node keeps no list of former keys: one that its policy no longer names is a stranger’s.',
  },
  {
    name: 'revoked release on a running node',
    asset: 'what runs',
    stops: 'the node replays the log of revocations itself, and takes the release out of its chains',
    registry: { code: 'release_revoked', mount: atRegistry.revokedRelease },
    node: { code: 'release_revoked', mount: atNode.revokedRelease },
  },
  {
    name: 'rollback to an older version',
    asset: 'what runs',
    stops: 'a version is published once; `minVersion` on the node',
    registry: { code: 'release_exists', mount: atRegistry.rollback },
    node: { code: 'below_min_version', mount: atNode.rollback },
  },
  {
    name: 'old release under a new version’s name',
    asset: 'what runs',
    stops: 'name and version are signed',
    registry: { code: 'release_mismatch', mount: atRegistry.oldUnderNewName },
    node: { code: 'release_mismatch', mount: atNode.oldUnderNewName },
  },
  {
    name: 'freeze (stale catalog)',
    asset: 'what is known',
    stops: 'checkpoints have a signed time, and `maxAge`',
    registry: { why: 'It is the registry that stands still.' },
    node: { code: 'log_stale', mount: atNode.freeze },
  },
  {
    name: 'split view (two log heads)',
    asset: 'what is known',
    stops: 'a node goes on only to a checkpoint that continues its last; witnesses cosign one history',
    registry: { why: 'It is the registry that shows two.' },
    node: { code: 'log_fork', mount: atNode.splitView },
  },
  {
    name: 'log made shorter',
    asset: 'what is known',
    stops: 'a node remembers size and root',
    registry: { why: 'It is the registry that forgets.' },
    node: { code: 'log_rollback', mount: atNode.shortenedLog },
  },
  {
    name: 'log altered by somebody else',
    asset: 'what is known',
    stops: 'the checkpoint is signed by the key that trust.yaml names',
    registry: { why: 'The registry signs the log; it is not told one.' },
    node: { code: 'log_untrusted', mount: atNode.alteredLog },
  },
  {
    name: 'release that was never logged',
    asset: 'what is known',
    stops: 'with `log` in its policy a node asks for the entry and its proof',
    registry: { why: 'The registry appends the entry in the transaction that publishes.' },
    node: { code: 'not_logged', mount: atNode.neverLogged },
  },
  {
    name: 'namespace takeover',
    asset: 'who may sign',
    stops: 'a name is taken once; whom a registry lets in is nothing to a node',
    registry: { code: 'namespace_exists', mount: atRegistry.namespaceTakeover },
    node: { code: 'signer_not_allowed', mount: atNode.namespaceTakeover },
    shares: 'A registry’s administrator can add a key. The node’s policy does not name it: a stranger’s.',
  },
  {
    name: 'look-alike namespace',
    asset: 'who may sign',
    stops: 'names that look alike cannot both exist',
    registry: { code: 'name_look_alike', mount: atRegistry.lookAlike },
    node: { why: 'A node goes by the patterns of its policy, letter for letter.' },
  },
  {
    name: 'duplicate JSON keys',
    asset: 'what is understood',
    stops: 'one strict reader: no key twice, no field unknown',
    registry: { code: 'bundle_invalid', mount: atRegistry.keyTwice },
    node: { code: 'bundle_invalid', mount: atNode.keyTwice },
  },
  {
    name: 'bundle that covers more files than there are',
    asset: 'what runs',
    stops: 'the signed set is the set, no less',
    registry: { code: 'subject_missing', mount: atRegistry.signedFileMissing },
    node: { code: 'subject_missing', mount: atNode.signedFileMissing },
  },
  {
    name: 'bundle that covers fewer files than there are',
    asset: 'what runs',
    stops: 'the signed set is the set, no more',
    registry: { code: 'subject_unsigned', mount: atRegistry.fileNotSigned },
    node: { code: 'subject_unsigned', mount: atNode.fileNotSigned },
  },
  {
    name: 'compromised registry that serves a consistent but unsigned set',
    asset: 'what runs',
    stops: 'digests prove nothing without a signature',
    registry: { why: 'It is the registry that lies.' },
    node: { code: 'bundle_missing', mount: atNode.unsignedSet },
    shares: 'Consistent or not, a set without a signature is refused before it is looked at.',
  },
  {
    name: 'replayed publish token',
    asset: 'who may publish',
    stops: 'a pipeline’s identity token is good for one exchange',
    registry: { code: 'id_token_replayed', mount: atRegistry.replayedToken },
    node: { why: 'Tokens are for the registry; a node is never shown one.' },
  },
  {
    name: 'emptied function',
    asset: 'orders',
    stops: 'an order is signed as a whole; a function that is not sent goes on',
    registry: { code: 'order_signature_invalid', mount: atRegistry.emptiedFunction },
    node: { code: 'order_signature_invalid', mount: orders.emptiedFunction },
  },
  {
    name: 'emptied list of functions',
    asset: 'orders',
    stops: 'only a signed order ends a function; one that is no longer sent goes on, and is reported',
    registry: { why: 'It is the registry that withholds.' },
    node: { code: 'order_withheld', mount: orders.emptiedList },
  },
  {
    name: 'altered function',
    asset: 'orders',
    stops: 'an order is signed as a whole',
    registry: { code: 'order_signature_invalid', mount: atRegistry.alteredFunction },
    node: { code: 'order_signature_invalid', mount: orders.alteredFunction },
    shares:
      'One signature is over the whole document. What was changed in it cannot be known, and nothing of it is read.',
  },
  {
    name: 'reordered function',
    asset: 'orders',
    stops: 'an order is signed as a whole, with the order of its instances',
    registry: { code: 'order_signature_invalid', mount: atRegistry.reorderedFunction },
    node: { code: 'order_signature_invalid', mount: orders.reorderedFunction },
    shares: 'As for the altered one.',
  },
  {
    name: 'replayed function',
    asset: 'orders',
    stops: 'revisions only grow, and the node remembers the highest',
    registry: { code: 'revision_conflict', mount: atRegistry.replayedFunction },
    node: { code: 'stale_revision', mount: orders.replayedFunction },
  },
  {
    name: 'function aimed at a node whose labels it does not match',
    asset: 'orders',
    stops: 'the selector is signed, and the node compares it with its own labels',
    registry: { why: 'It is a good order for others. The registry sends it to those.' },
    node: { code: 'selector_mismatch', mount: orders.functionForOthers },
  },
  {
    name: 'order of a stranger',
    asset: 'orders',
    stops: 'only operators that the registry, and the node’s own policy, name',
    registry: { code: 'operator_not_allowed', mount: atRegistry.orderOfStranger },
    node: { code: 'operator_not_allowed', mount: orders.orderOfStranger },
  },
  {
    name: 'order signed by a publisher',
    asset: 'orders',
    stops: 'publishers are no operators',
    registry: { code: 'operator_not_allowed', mount: atRegistry.orderOfPublisher },
    node: { code: 'operator_not_allowed', mount: orders.orderOfPublisher },
    shares: 'Whoever is not named as an operator is none, whatever else he may be.',
  },
  {
    name: 'order shown as that of another function',
    asset: 'orders',
    stops: 'the name is signed',
    registry: { code: 'order_invalid', mount: atRegistry.orderOfAnother },
    node: { code: 'order_invalid', mount: orders.orderOfAnother },
  },
  {
    name: 'forged revocation',
    asset: 'what goes on running',
    stops: 'signed by a publisher of the program or an operator; the node decides again',
    registry: { code: 'revocation_signature_invalid', mount: atRegistry.forgedRevocation },
    node: { code: 'revocation_ignored', mount: atNode.forgedRevocation },
  },
  {
    name: 'release outside the asked range',
    asset: 'what runs',
    stops: 'the range is signed in the order, and the node compares',
    registry: { why: 'The registry resolves ranges itself.' },
    node: { code: 'outside_range', mount: atNode.outsideRange },
  },
  {
    name: 'revocation by the signer of another namespace',
    asset: 'what goes on running',
    stops: 'a publisher revokes only what is its own',
    registry: { code: 'revoker_not_allowed', mount: atRegistry.revocationOfNeighbour },
    node: { why: 'The node judges it as the row “forged revocation”: test/agent/revocation.test.ts.' },
  },
  {
    name: 'private blob fetched by its digest',
    asset: 'what is secret',
    stops: 'a digest is no right: the answer is that for what does not exist',
    registry: { code: 'not_found', mount: atRegistry.privateBlob },
    node: {
      why: 'It is a reader who asks; a node that it was not assigned to is refused by the registry alike.',
    },
  },
  {
    name: 'retired node key',
    asset: 'what is secret',
    stops: 'the first request by a node’s new key ends the old one, at every registry on the database',
    registry: { code: 'node_key_retired', mount: atRegistry.retiredNodeKey },
    node: { why: 'The key is the node’s own. Nobody shows it one.' },
  },
  {
    name: 'replayed key rotation',
    asset: 'who is a node',
    stops: 'a signed request is good once',
    registry: { code: 'node_unauthenticated', mount: atRegistry.replayedRotation },
    node: { why: 'It is the node that offers a key. It takes none from elsewhere.' },
  },
  {
    name: 'node that joins with the labels of others',
    asset: 'what is secret',
    stops: 'a join token says which labels its nodes may have',
    registry: { code: 'label_not_allowed', mount: atRegistry.labelsOfOthers },
    node: { why: 'It is the node that lies.' },
  },
  {
    name: 'join token used once more',
    asset: 'who is a node',
    stops: 'its uses are counted by the transaction that lets a node in',
    registry: { code: 'join_token_refused', mount: atRegistry.usedJoinToken },
    node: { why: 'Tokens are for the registry; a node only hands one in.' },
  },
  {
    name: 'join token after its end',
    asset: 'who is a node',
    stops: 'its end is kept with it',
    registry: { code: 'join_token_refused', mount: atRegistry.expiredJoinToken },
    node: { why: 'As for the row above.' },
    shares: 'A join token is good or it is not. The message says why.',
  },
]
