/**
 * What kind of failure a code is. Edges translate it: HTTP to a status, the command line to an exit code.
 *
 * - `usage`: the command line was wrong. `invalid`: input that can never be accepted as it is.
 * - `untrusted`: a signature, signer, digest, order or policy said no. `kernel`: the kernel or libbpf said no.
 * - `unsupported`: valid by the contract, but this version does not do it yet.
 */
export type ErrorKind =
  | 'usage'
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'too_large'
  | 'untrusted'
  | 'unsupported'
  | 'kernel'
  | 'unavailable'
  | 'environment'
  | 'internal'

interface ErrorEntry {
  readonly kind: ErrorKind
  /** Short noun phrase; the RFC 9457 `title`. */
  readonly title: string
  /** What the reader can do about it. */
  readonly remedy: string
}

const entry = (kind: ErrorKind, title: string, remedy: string): ErrorEntry => ({ kind, title, remedy })

/** Every failure the product names. A code is part of the contract: never renamed, asserted by tests. */
export const ERRORS = {
  // command line and machine
  usage: entry('usage', 'Wrong usage', 'see `hookline <command> --help`'),
  needs_root: entry('environment', 'Needs root', 'run the command as root'),
  missing_dependency: entry('environment', 'Missing dependency', 'install the package named in the message'),
  file_unreadable: entry('environment', 'File cannot be read', 'check the path and its permissions'),
  file_unwritable: entry('environment', 'File cannot be written', 'check the path and its permissions'),
  file_exists: entry('environment', 'File exists', 'choose another path, or remove the file'),
  no_registry: entry('usage', 'No registry named', 'pass --url, or set HOOKLINE_URL'),
  no_token: entry(
    'usage',
    'No token given',
    'log in with `hookline login`, set HOOKLINE_TOKEN, or pass --token-file',
  ),
  database_failed: entry('environment', 'Database does not start', 'see postgres.log in the data directory'),
  database_lost: entry(
    'environment',
    'Database ended',
    'start the registry again, as a supervisor would; postgres.log in the data directory may say why',
  ),
  state_in_use: entry('environment', 'Directory in use', 'stop the other process, or use another directory'),
  address_in_use: entry('environment', 'Cannot listen', 'choose another address or port'),
  // input
  invalid_request: entry('invalid', 'Invalid request', 'compare the request with openapi.yaml'),
  method_not_allowed: entry(
    'invalid',
    'Method not allowed',
    'use one of the methods that the Allow field of the answer names',
  ),
  unsupported_media_type: entry(
    'invalid',
    'Media type not supported',
    'send application/json, or multipart/form-data to publish',
  ),
  invalid_name: entry(
    'invalid',
    'Invalid name',
    'write it as the message says; a name has lower-case letters, digits and hyphens, 2 to 39 characters',
  ),
  invalid_json: entry('invalid', 'Invalid JSON', 'send one JSON document without duplicate keys'),
  invalid_manifest: entry('invalid', 'Invalid manifest', 'mend hookline.yaml as the message says'),
  invalid_function: entry('invalid', 'Invalid function', 'mend the function file as the message says'),
  invalid_policy: entry('invalid', 'Invalid trust policy', 'mend trust.yaml as the message says'),
  invalid_config: entry(
    'invalid',
    'Invalid configuration value',
    'give a value within the manifest’s bounds',
  ),
  invalid_key: entry(
    'invalid',
    'Invalid key',
    'use a P-256 or Ed25519 key in PEM, as `hookline keygen` writes',
  ),
  passphrase_missing: entry(
    'usage',
    'Key is encrypted',
    'type its passphrase at the prompt, set HOOKLINE_KEY_PASSPHRASE, or pass --passphrase-file',
  ),
  passphrase_wrong: entry('invalid', 'Passphrase does not open the key', 'try again'),
  signer_command_failed: entry(
    'environment',
    'Command that signs failed',
    'it gets the bytes to sign on standard input and writes the bare signature; see docs/signing.md',
  ),
  too_large: entry('too_large', 'Too large', 'stay within the limit named in the message'),
  not_supported_yet: entry('unsupported', 'Not supported yet', 'leave the named part out for now'),
  // objects
  elf_too_large: entry('too_large', 'Object too large', 'strip debug sections (llvm-strip -g keeps BTF)'),
  elf_not_elf: entry('invalid', 'Not an ELF file', 'name an object compiled by clang -target bpf'),
  elf_truncated: entry('invalid', 'ELF file is truncated', 'compile or copy the object again'),
  elf_wrong_class: entry('invalid', 'Not a 64-bit ELF file', 'compile with clang -target bpf'),
  elf_wrong_endian: entry(
    'invalid',
    'Wrong byte order',
    'compile with -target bpfel for little-endian hosts',
  ),
  elf_not_bpf: entry('invalid', 'Not a BPF object', 'compile with clang -target bpf, and do not link it'),
  elf_malformed: entry('invalid', 'ELF file is malformed', 'compile the object again'),
  elf_legacy_maps: entry(
    'invalid',
    'Maps are defined the old way',
    'define them in SEC(".maps") with __uint and __type',
  ),
  elf_too_many: entry('too_large', 'Object has too many parts', 'split it into several objects'),
  elf_no_programs: entry('invalid', 'Object has no programs', 'put the program into a section by SEC("xdp")'),
  btf_malformed: entry('invalid', 'BTF is malformed', 'compile again with -g'),
  entry_not_found: entry('invalid', 'Entry not in object', 'name a function that `hookline inspect` lists'),
  object_mismatch: entry('invalid', 'Manifest does not fit the object', 'compare with `hookline inspect`'),
  permissions_undeclared: entry(
    'invalid',
    'Manifest declares less than the bytecode can do',
    'add them to `permissions` of hookline.yaml; `hookline inspect` says what each is needed for',
  ),
  // registry
  unauthenticated: entry('unauthenticated', 'No valid credentials', 'pass a token of this registry'),
  cross_site: entry(
    'forbidden',
    'Sent from another site',
    'go back to the page of this registry and send the form there',
  ),
  token_expired: entry('unauthenticated', 'Token has expired', 'log in again, or make a new token'),
  token_revoked: entry('unauthenticated', 'Token was revoked', 'log in again, or make a new token'),
  id_token_invalid: entry(
    'unauthenticated',
    'Identity token is not accepted',
    'ask the pipeline for a new one, for this registry’s address as its audience',
  ),
  id_token_replayed: entry(
    'unauthenticated',
    'Identity token was used already',
    'ask the pipeline for a new one: each is good for one exchange',
  ),
  signing_failed: entry('unavailable', 'Signing by identity failed', 'see the message, and try again'),
  invalid_trusted_root: entry(
    'invalid',
    'Trusted root is invalid',
    'use a trusted_root.json of Sigstore’s form',
  ),
  no_trusted_root: entry(
    'untrusted',
    'Signature by an identity cannot be checked',
    'name a trusted root: `trustedRoot` in trust.yaml, --trusted-root, or HOOKLINE_TRUSTED_ROOT of the registry',
  ),
  certificate_invalid: entry(
    'untrusted',
    'Certificate or timestamp is not good',
    'have it signed by services that the trusted root names',
  ),
  invalid_license: entry(
    'invalid',
    'Licence is no SPDX expression',
    'write it as in GPL-2.0-only, or BSD-2-Clause OR GPL-2.0-only',
  ),
  source_missing: entry(
    'invalid',
    'Source is missing',
    'name it in the manifest: `source:` with an address, or with a file of the release',
  ),
  gpl_required: entry(
    'invalid',
    'Helper is for GPL-compatible programs only',
    'declare a licence that the kernel takes as compatible, such as "GPL" or "Dual BSD/GPL"',
  ),
  quota_exceeded: entry(
    'forbidden',
    'No more fits',
    'delete what is not needed, or ask the registry’s administrators',
  ),
  proof_missing: entry(
    'invalid',
    'Proof is not there',
    'put it there: `hookline namespace verify <name>` says what and where; DNS may take a while',
  ),
  proof_unreachable: entry('unavailable', 'Proof cannot be looked for', 'try again later'),
  upload_missing: entry(
    'invalid',
    'File was not sent ahead',
    'send it again: what is sent ahead is kept for a day, for whoever sent it',
  ),
  login_unavailable: entry(
    'unsupported',
    'Nobody can log in here by a browser',
    'use a token: `hookline login --with-token`',
  ),
  login_failed: entry('unauthenticated', 'Login failed', 'try again: `hookline login`, or sign in again'),
  login_unknown: entry(
    'forbidden',
    'No account of this name, or of yours',
    'ask an administrator to link your account, or choose a name: --name',
  ),
  address_not_allowed: entry(
    'invalid',
    'Address may not be asked',
    'name a host of the internet by https; a private registry may allow others: HOOKLINE_WEBHOOKS=private',
  ),
  delivery_failed: entry('unavailable', 'No answer came', 'see the message'),
  no_trusted_publisher: entry(
    'forbidden',
    'No trusted publisher fits this pipeline',
    'compare its claims with `hookline trusted-publisher list`',
  ),
  publisher_exists: entry('conflict', 'Trusted publisher exists already', 'nothing is to be done'),
  issuer_unavailable: entry('unavailable', 'Issuer cannot be reached', 'try again later'),
  ci_token_failed: entry(
    'unavailable',
    'The pipeline gave no identity token',
    'let the job have it: `permissions: id-token: write` on GitHub, `id_tokens` on GitLab',
  ),
  account_disabled: entry('unauthenticated', 'Account is disabled', 'ask an administrator of the registry'),
  forbidden: entry('forbidden', 'Not allowed', 'ask for the role named in the message'),
  scope_missing: entry(
    'forbidden',
    'Token is not for this',
    'use a token with the scope or name named in the message: `hookline token create`',
  ),
  token_escalation: entry(
    'forbidden',
    'Token would reach further than yours',
    'ask for no more than your own token has',
  ),
  name_reserved: entry('invalid', 'Name is reserved', 'choose another name'),
  name_look_alike: entry('conflict', 'Name looks like another', 'choose a name that is not mistaken for it'),
  account_exists: entry('conflict', 'Account exists', 'choose another name'),
  last_owner: entry('conflict', 'Nobody would own it', 'make somebody else an owner first'),
  last_admin: entry('conflict', 'Nobody would administer it', 'make somebody else an administrator first'),
  robot_not_allowed: entry('invalid', 'Robot belongs elsewhere', 'make a robot of this namespace'),
  too_many: entry('conflict', 'Too many', 'remove one that is no longer needed'),
  not_found: entry('not_found', 'Not found', 'check the name'),
  version_not_found: entry('not_found', 'No release fits', 'see the versions with `hookline show`'),
  release_exists: entry(
    'conflict',
    'Release exists',
    'publish a new version: a release never changes, and the version of a deleted one stays taken',
  ),
  program_public: entry(
    'conflict',
    'Program is public',
    'publish without --private, or have an owner make the program private first: `hookline visibility <program> private`',
  ),
  release_in_use: entry(
    'conflict',
    'Release is in use',
    'end or change the function that the message names, or yank the release',
  ),
  release_is_evidence: entry(
    'conflict',
    'Revoked release stays',
    'ask an administrator where its bytes must go: hookline admin takedown',
  ),
  release_too_old: entry('conflict', 'Release is too old to be deleted', 'yank it: hookline yank'),
  release_quarantined: entry('forbidden', 'Release is quarantined', 'ask the administrators of the registry'),
  namespace_exists: entry('conflict', 'Namespace exists', 'choose another name'),
  revision_conflict: entry(
    'conflict',
    'Revision is not newer',
    'sign the next one: `hookline function apply` and `hookline trust sign` ask the registry for its number',
  ),
  node_exists: entry('conflict', 'Node exists', 'choose another node name'),
  join_token_refused: entry('unauthenticated', 'Join token refused', 'make one with `hookline node token`'),
  label_not_allowed: entry(
    'forbidden',
    'Label not allowed',
    'leave it out, or have a join token made that allows it: `hookline node token --label <key=value>`, or --free-label <key>',
  ),
  node_unauthenticated: entry(
    'unauthenticated',
    'Node signature refused',
    'check the node’s clock, or let it join anew: `hookline node remove`, then start its agent with a join token',
  ),
  node_key_retired: entry(
    'unauthenticated',
    'Key of the node was replaced',
    'let the node go on with its new key; if it has none, somebody else replaced it: `hookline node remove`, then start its agent with a join token',
  ),
  rate_limited: entry('unavailable', 'Too many requests', 'wait as long as Retry-After says'),
  overloaded: entry('unavailable', 'Overloaded', 'wait as long as Retry-After says, or send a token'),
  blob_store_failed: entry(
    'unavailable',
    'Blob store does not do its part',
    'check its address, bucket and keys (HOOKLINE_S3_...), and that it runs',
  ),
  blob_being_removed: entry(
    'unavailable',
    'The same bytes are being removed',
    'try again in a few minutes: nothing named these bytes any more, and they can be kept anew when they are gone',
  ),
  not_ready: entry('unavailable', 'Not ready', 'see the log of the registry'),
  registry_unavailable: entry(
    'unavailable',
    'Registry cannot be reached',
    'check the address, that it runs, and the proxy if HTTP_PROXY or HTTPS_PROXY names one',
  ),
  registry_answer: entry(
    'unavailable',
    'Registry answered unexpectedly',
    'check that the address is a Hookline registry',
  ),
  internal: entry('internal', 'Internal error', 'see the log of the registry'),
  // trust
  bundle_missing: entry(
    'untrusted',
    'Release is not signed',
    'sign it: `hookline publish --key <private key>`',
  ),
  bundle_invalid: entry('untrusted', 'Bundle cannot be read', 'sign again with `hookline publish`'),
  signature_invalid: entry(
    'untrusted',
    'Signature does not hold',
    'do not use this release; ask its publisher',
  ),
  key_expired: entry(
    'untrusted',
    'Key is not valid now',
    'sign with a key that is, or let the key be valid for longer: `hookline key add <public key> --valid-until <date>`',
  ),
  signer_not_allowed: entry(
    'untrusted',
    'Signer is not allowed',
    'sign with an accepted key, or accept this one: to publish by `hookline key add <public key> --namespace <name>`, on a node in its trust.yaml',
  ),
  statement_invalid: entry(
    'untrusted',
    'Signed statement is not a release',
    'sign again with `hookline publish`',
  ),
  release_mismatch: entry('untrusted', 'Statement names another release', 'do not use this release'),
  subject_mismatch: entry(
    'untrusted',
    'Files differ from what was signed',
    'do not use this release; report it',
  ),
  manifest_mismatch: entry(
    'untrusted',
    'Manifest differs from what was signed',
    'do not use this release; report it',
  ),
  subject_missing: entry(
    'untrusted',
    'A file that was signed is missing',
    'do not use this release; report it',
  ),
  subject_unsigned: entry(
    'untrusted',
    'A file was not signed with the others',
    'do not use this release; report it',
  ),
  digest_mismatch: entry('untrusted', 'Bytes differ from their digest', 'report it to the registry’s owner'),
  policy_denied: entry(
    'untrusted',
    'Trust policy denies it',
    'add a matching rule to trust.yaml if it is wanted',
  ),
  too_few_signers: entry(
    'untrusted',
    'Too few accepted signers',
    'have another accepted signer sign it: `hookline cosign`, or lower `minSigners`',
  ),
  too_young: entry(
    'untrusted',
    'Release is younger than the policy allows',
    'wait: it is tried again when it is old enough; an operator may order it at once by `emergency: true`',
  ),
  license_not_allowed: entry(
    'untrusted',
    'Licence is not allowed',
    'add it to `licenses` of the rule in trust.yaml if it is acceptable',
  ),
  provenance_missing: entry(
    'untrusted',
    'Release has no provenance',
    'publish it with one: `hookline publish --provenance <bundle>`',
  ),
  provenance_invalid: entry(
    'untrusted',
    'Provenance does not fit the release',
    'give the SLSA v1 provenance of the very build that made these objects',
  ),
  builder_not_allowed: entry(
    'untrusted',
    'Builder is not allowed',
    'build it where the policy says, or add the builder to `provenance.builders` of the rule in trust.yaml',
  ),
  policy_missing: entry(
    'untrusted',
    'Owners have given no policy',
    'sign one for this node’s labels, and push it: `hookline trust sign`, `hookline trust push`',
  ),
  policy_conflict: entry(
    'untrusted',
    'Owners have given more than one policy',
    'let one of them select other nodes: sign a new revision of it',
  ),
  policy_document_invalid: entry(
    'untrusted',
    'Signed policy cannot be read',
    'sign it again with `hookline trust sign`',
  ),
  policy_owner_changed: entry(
    'forbidden',
    'Policy is another owner’s',
    'sign it with the key that signed the revision before; where that is to change, an administrator pushes the new one',
  ),
  too_many_policies: entry(
    'conflict',
    'Too many policies',
    'sign the next revision of one of these names, for the nodes of the new one; an administrator hands a name on to another owner',
  ),
  owner_not_allowed: entry(
    'untrusted',
    'Policy is signed by no owner',
    'name its key under `owners` of trust.yaml if it is one',
  ),
  below_min_version: entry('untrusted', 'Below the minimum version', 'use a newer release'),
  permission_not_granted: entry(
    'untrusted',
    'Permission is not granted',
    'add it to `permissions` of the rule in trust.yaml if the program may do so',
  ),
  outside_range: entry(
    'untrusted',
    'Release is outside the asked range',
    'report it to the registry’s owner',
  ),
  order_invalid: entry('untrusted', 'Order cannot be read', 'apply it again with `hookline function apply`'),
  order_signature_invalid: entry('untrusted', 'Order’s signature does not hold', 'apply it again; report it'),
  operator_not_allowed: entry(
    'untrusted',
    'Operator is not allowed',
    'accept the key: at the registry by `hookline key add <public key> --operator`, on a node in its trust.yaml',
  ),
  stale_revision: entry(
    'untrusted',
    'Order or policy is older than one seen',
    'sign it again with a newer revision',
  ),
  order_withheld: entry(
    'untrusted',
    'Order is no longer sent',
    'ask the registry’s owner, or apply the function again; what is to end is ended by a signed order: hookline function remove',
  ),
  // the transparency log
  log_key_invalid: entry(
    'invalid',
    'Key of a log or witness is invalid',
    'give it as its operator publishes it: name+id+base64',
  ),
  log_key_mismatch: entry(
    'environment',
    'Log was signed by another key',
    'start with the key that signed it (log.key, or HOOKLINE_LOG_KEY_FILE); all registries on one database have the same',
  ),
  log_malformed: entry(
    'untrusted',
    'Part of the log cannot be read',
    'try again; report it to the registry’s owner when it stays so',
  ),
  log_entry_invalid: entry('invalid', 'Log entry is invalid', 'mend the entry as the message says'),
  log_untrusted: entry(
    'untrusted',
    'Signature of the log does not hold',
    'compare the keys in trust.yaml with those that the log’s operator publishes',
  ),
  log_fork: entry(
    'untrusted',
    'Log shows two histories',
    'keep both checkpoints and report them: no honest log signs both; after a restore, the log’s operator owes a recovery statement',
  ),
  log_rollback: entry(
    'untrusted',
    'Log is shorter than it was',
    'report it; after a restore from a backup, the log’s operator owes a recovery statement',
  ),
  log_proof_invalid: entry('untrusted', 'Proof of the log does not hold', 'do not use what it should prove'),
  log_mismatch: entry(
    'untrusted',
    'Log differs from its checkpoint',
    'do not use its entries; keep them and report it',
  ),
  log_stale: entry(
    'untrusted',
    'Checkpoint is not fresh',
    'check this host’s clock, and that the log and its witnesses run',
  ),
  witnesses_missing: entry(
    'untrusted',
    'Too few witnesses signed the checkpoint',
    'wait until the log’s witnesses have signed it, or change their list in trust.yaml',
  ),
  log_unlogged: entry(
    'untrusted',
    'Catalog shows what was never logged',
    'do not use it; keep what was shown and report it: others may be shown something else',
  ),
  log_release_differs: entry(
    'untrusted',
    'Release differs from what was logged',
    'do not use it; keep it and report it: others were shown another one',
  ),
  log_standing_differs: entry(
    'untrusted',
    'What became of a release differs from the log',
    'ask the registry’s owner: a yank or deletion was not logged, or is not shown',
  ),
  log_times_differ: entry(
    'untrusted',
    'Time of an entry does not fit its place',
    'ask the registry’s owner: an entry was made to look older or newer than it is',
  ),
  log_signers_differ: entry(
    'untrusted',
    'Signers or owners differ from the log',
    'ask the registry’s owner: somebody was let in or shut out without a trace',
  ),
  log_revocations_differ: entry(
    'untrusted',
    'The two logs tell different revocations',
    'report it: nodes read one of them, auditors the other',
  ),
  log_recovery_invalid: entry(
    'untrusted',
    'Recovery statement does not fit',
    'take the statements of the log’s epochs in their order',
  ),
  log_recovery_needless: entry(
    'conflict',
    'Log lost nothing',
    'hand in with --seen what nodes, witnesses and auditors saw; --nothing-lost begins the logs anew all the same',
  ),
  log_notes_left_out: entry(
    'too_large',
    'Log notes more revocations than are kept',
    'name fewer programs in trust.yaml; report it to the registry’s owner: somebody floods the log',
  ),
  log_recovered: entry(
    'untrusted',
    'Log was begun anew and lost entries',
    'nothing, if the log’s operator announced it; else report it: somebody has the recovery key',
  ),
  checkpoint_unknown: entry(
    'untrusted',
    'Checkpoint is of another log',
    'see whose it is: only what these logs signed can contradict them; `--leave-out` signs without it',
  ),
  not_logged: entry(
    'untrusted',
    'Release is not in the log',
    'do not use it; its publisher can publish a new version, which the registry then logs',
  ),
  // revocations
  revocation_invalid: entry('invalid', 'Revocation is invalid', 'mend the document as the message says'),
  revocation_signature_invalid: entry(
    'untrusted',
    'Signature of the revocation does not hold',
    'sign it again: hookline revoke',
  ),
  revoker_not_allowed: entry(
    'untrusted',
    'Signer may not revoke this',
    'sign with a key of the program’s namespace, or of an operator; a file is revoked by an operator',
  ),
  revocation_ignored: entry(
    'untrusted',
    'Revocation was not believed',
    'nothing to do, unless its signer should be believed: then name it in trust.yaml',
  ),
  revocation_withheld: entry(
    'untrusted',
    'Revocation is not shown whole',
    'report it to the registry’s owner: who signed it cannot be checked; what the log says is revoked is not loaded anew',
  ),
  revocation_unlogged: entry(
    'untrusted',
    'Revocation is not in the log',
    'ask the registry’s owner: nodes that follow the log may not hear of it',
  ),
  too_many_revocations: entry(
    'forbidden',
    'Publishers have revoked too much',
    'ask an operator to revoke it: his revocations are not counted',
  ),
  release_revoked: entry(
    'untrusted',
    'Release was revoked',
    'use another release, or publish one that mends it',
  ),
  // planning on the node
  selector_mismatch: entry(
    'invalid',
    'Function is not for this node',
    'check the selector and the node’s labels',
  ),
  default_route_interface: entry(
    'invalid',
    'Interface carries the default route',
    'name it exactly if it is meant',
  ),
  hook_conflict: entry(
    'conflict',
    'Hook is held by another function',
    'mend or remove the function that the message names',
  ),
  change_taken_back: entry(
    'environment',
    'Change cut the node off and was taken back',
    'mend what it does to the registry’s packets, and apply again',
  ),
  change_unconfirmed: entry(
    'environment',
    'Change waits for the registry',
    'nothing to do: it is made again once the registry is within reach',
  ),
  hook_busy: entry(
    'kernel',
    'Hook is taken by a foreign program',
    'detach that program first: `bpftool net` names it',
  ),
  hook_changed: entry(
    'kernel',
    'Hook runs something else than expected',
    'nothing to do: the hook is read again, and the change tried again',
  ),
  no_native_xdp: entry(
    'kernel',
    'Driver has no native XDP',
    'allow generic mode in the function, or leave the interface out',
  ),
  interface_missing: entry('kernel', 'Interface is gone', 'nothing to do: it is attached when it appears'),
  // chains
  chain_module_functions: entry(
    'unsupported',
    'Kernel module with the program’s functions not found',
    'load the module on the node (modprobe), or leave the program out',
  ),
  chain_instruction: entry('unsupported', 'Instruction cannot be chained', 'compile without it'),
  chain_exception: entry('unsupported', 'Program throws exceptions', 'return a verdict instead'),
  chain_device_bound: entry(
    'unsupported',
    'Program is bound to a device',
    'compile it without the metadata functions',
  ),
  chain_local_types: entry(
    'unsupported',
    'Program makes objects of its own types',
    'keep what it makes in maps',
  ),
  chain_arena: entry('unsupported', 'Program uses an arena', 'keep its data in other maps'),
  chain_no_btf: entry('unsupported', 'Types of functions are missing', 'compile with -g'),
  chain_stack: entry('unsupported', 'Chain needs too much stack', 'shorten the chain, or use less stack'),
  chain_maps: entry('unsupported', 'Chain uses too many maps', 'shorten the chain'),
  chain_subprograms: entry('unsupported', 'Chain has too many subprograms', 'shorten the chain'),
  chain_too_long: entry('unsupported', 'Chain is too long', 'shorten the chain'),
  chain_mixed_frags: entry(
    'unsupported',
    'Programs differ in multi-buffer support',
    'use separate interfaces',
  ),
  // what runs
  running_differs: entry(
    'untrusted',
    'What runs is not what its releases make',
    'find out who changed it (`bpftool link`); then stop the agent, run `hookline agent --detach`, and start it: it attaches what was ordered',
  ),
  running_unknown: entry(
    'untrusted',
    'Hook carries something else',
    'find out who attached it (`bpftool link`); then stop the agent, run `hookline agent --detach`, and start it: it attaches what was ordered',
  ),
  chain_altered: entry(
    'untrusted',
    'Somebody else changed the chain',
    'find out who did (`bpftool link`, `bpftool prog`); then stop the agent, run `hookline agent --detach`, and start it: it attaches what was ordered',
  ),
  running_missing: entry(
    'untrusted',
    'Chain is not attached',
    'see whether the agent runs (`hookline status`): it attaches anew what is missing',
  ),
  running_unordered: entry(
    'untrusted',
    'Chain is not what was ordered',
    'find out who changed it; an agent that is started anew after `hookline agent --detach` attaches what was ordered',
  ),
  running_behind: entry(
    'untrusted',
    'Order is not carried out',
    'see the cause, and `hookline status`: the agent says what keeps it from carrying the order out',
  ),
  running_unverified: entry(
    'untrusted',
    'Release does not verify any more',
    'see the cause; `hookline trust check` says what a policy accepts of what runs',
  ),
  // kernel
  kernel_refused: entry('kernel', 'The kernel refused', 'see the kernel’s message'),
  loader_failed: entry('kernel', 'Loading process failed', 'see the message; the program may be at fault'),
  verifier_refused: entry('kernel', 'The kernel’s verifier refused the program', 'see the verifier’s log'),
  arch_unsupported: entry(
    'kernel',
    'Processor does not fit',
    'use a release that has programs for this processor',
  ),
  kernel_too_old: entry('kernel', 'Kernel does not fit', 'use a kernel that the manifest asks for'),
  map_incompatible: entry('kernel', 'Map differs from the manifest', 'compare with `hookline inspect`'),
} as const satisfies Record<string, ErrorEntry>

/** A code of {@link ERRORS}. */
export type ErrorCode = keyof typeof ERRORS

/** Whether a text is one of the codes. */
export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERRORS, code)

/** Characters of a message: it may quote what a stranger sent, and is printed, kept and reported. */
const MESSAGE_CHARS = 2000

const bounded = (message: string): string =>
  message.length <= MESSAGE_CHARS ? message : `${message.slice(0, MESSAGE_CHARS)}…`

/** The one error class: a stable code, what happened, and, where there is more to read, the whole text in `log`. */
export class DomainError extends Error {
  override readonly name = 'DomainError'
  readonly code: ErrorCode
  /** Long text behind the message, such as a verifier's log. */
  readonly log: string | undefined
  /** Position in its chain of the entry that is to blame, where that is known. */
  readonly entry: number | undefined
  /** All that was checked, where this is one failed check of several. */
  readonly checks: readonly unknown[] | undefined
  /** The field that is to blame, of a form. */
  readonly field: string | undefined
  /** When it will no longer be so by itself, where that is known. */
  readonly until: Date | undefined
  constructor(
    code: ErrorCode,
    message: string,
    options?: ErrorOptions & {
      log?: string
      entry?: number
      checks?: readonly unknown[]
      field?: string
      until?: Date
    },
  ) {
    super(bounded(message), options)
    this.code = code
    this.log = options?.log
    this.entry = options?.entry
    this.checks = options?.checks
    this.field = options?.field
    this.until = options?.until
  }
  get kind(): ErrorKind {
    return ERRORS[this.code].kind
  }
  get title(): string {
    return ERRORS[this.code].title
  }
  get remedy(): string {
    return ERRORS[this.code].remedy
  }
}

/** Any thrown value as a DomainError; an unknown one becomes `internal` with its text kept as the cause. */
export function asDomainError(thrown: unknown): DomainError {
  if (thrown instanceof DomainError) return thrown
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return new DomainError('internal', message, { cause: thrown })
}

/** What travels in place of a DomainError: in reports, status files and JSON output. */
export interface ErrorReport {
  code: string
  message: string
  remedy: string
}

/** The wire form of an error; the long log stays behind. */
export const reportOf = (error: DomainError): ErrorReport => ({
  code: error.code,
  message: error.message,
  remedy: error.remedy,
})
