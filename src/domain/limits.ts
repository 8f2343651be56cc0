/** Every size, count and time that the product bounds. Units are last in the name. */
export const LIMITS = {
  /** One object or other file of a release. The largest objects in public collections are near 2 MiB with BTF. */
  file_bytes: 8 << 20,
  /** hookline.yaml. */
  manifest_bytes: 64 << 10,
  /** A Sigstore bundle: one statement of at most `release_files` subjects of about 400 bytes each, in base64. */
  bundle_bytes: 256 << 10,
  /** Further signatures over a release, and the bytes that they have together: signers beyond the publisher are few. */
  release_bundles: 8,
  bundles_bytes: 256 << 10,
  /** Builders of a provenance that one rule accepts. */
  policy_builders: 64,
  /** Subjects of a provenance: one build may make many releases. */
  provenance_subjects: 1024,
  /** Licences that one rule accepts. */
  policy_licenses: 256,
  /** Releases of which a node remembers when it saw them first, the latest. */
  releases_seen: 4096,
  /** Bundles of which a node remembers that they held: those of 256 functions and their earlier releases. */
  verdicts: 4096,
  /** One signature by a command: somebody may have to touch a token. */
  signer_command_ms: 120_000,
  /** What such a command may write; signatures have less than 100 bytes. */
  signer_command_bytes: 4096,
  /** Files of a release, the manifest among them. */
  release_files: 64,
  /** All files of a release together. */
  release_bytes: 32 << 20,
  /** A function file, and the envelope around it: a list of 100,000 prefixes in JSON, in base64, has 6 MiB. */
  order_bytes: 8 << 20,
  /** The envelopes of all functions in force together: what every answer about them, and the registry's memory, must hold. */
  orders_bytes: 24 << 20,
  /** The envelopes of a function's history in one answer. */
  history_bytes: 24 << 20,
  /** Revisions of a function: far beyond any number of changes, far below what JSON numbers can hold exactly. */
  revision_most: 2 ** 31 - 1,
  function_instances: 64,
  function_interfaces: 64,
  policy_bytes: 256 << 10,
  /** A policy of owners in JSON, in base64, with its signature. */
  policy_envelope_bytes: 256 << 10,
  /** Policies at a time: one for each kind of node. */
  policies: 16,
  /** A key file in PEM, with room for comments. */
  key_bytes: 16 << 10,
  /** A file that holds one token. */
  secret_bytes: 4096,
  /** ~/.config/hookline/config.json. */
  settings_bytes: 64 << 10,
  policy_rules: 1024,
  manifest_programs: 64,
  manifest_maps: 256,
  manifest_config: 256,
  /** Items of one list: the 100,000 prefixes of a large block list, rounded up. */
  list_items: 1 << 17,
  /** Members of an item, of its key and of its value each. */
  list_fields: 64,
  /** Text in an item. */
  list_text_chars: 256,
  /** Keys and values of one list: 131,072 items of 128 bytes. */
  list_bytes: 16 << 20,
  labels: 64,
  /** A JSON request body that is not a release. */
  request_bytes: 1 << 20,
  /** A node's report: 256 chains of 64 entries of about 500 bytes. */
  observed_bytes: 8 << 20,
  /** A node's desired state: `orders_bytes`, and 8 MiB of removals, releases, bundles and policies. */
  desired_bytes: 32 << 20,
  /** Any JSON answer that a client reads: a fleet's reports are the largest. */
  answer_bytes: 64 << 20,
  /** A problem document (RFC 9457), whatever the answer's own limit. */
  problem_bytes: 64 << 10,
  /** How long a client waits for an answer, beyond what a long poll waits by itself. */
  http_timeout_s: 30,
  /** The same for an upload: 32 MiB at 1 Mbit/s take 270 s. */
  upload_timeout_s: 300,
  /** Longest wait of a long poll; below the 60 s that proxies commonly allow. */
  poll_s: 30,
  /** A node replaces its key when it is so old, unless it is told another age within these bounds. */
  node_key_age_s: 90 * 86_400,
  node_key_age_min_s: 60,
  node_key_age_most_s: 3650 * 86_400,
  /** Between looks at a key's age, and between attempts to replace it. */
  node_key_look_ms: 3_600_000,
  node_key_retry_ms: 10_000,
  /** Clock skew accepted on a signed request; nonces are remembered for twice as long. */
  signature_skew_s: 60,
  /** A token of any kind lasts long enough to be carried to where it is used. */
  token_ttl_min_s: 60,
  /** A leap year. */
  token_ttl_s: 366 * 86_400,
  /** Of a token that says nothing else. */
  token_ttl_default_s: 90 * 86_400,
  /** Name patterns of one token. */
  token_patterns: 100,
  /** When a token was last used is kept to this. */
  token_touch_s: 3600,
  /** Tokens of one account that are good at a time. */
  account_tokens: 100,
  /** Namespaces that one account owns. */
  account_namespaces: 50,
  /** Members of a namespace, robots and those invited among them. */
  namespace_members: 500,
  invitation_ttl_s: 14 * 86_400,
  join_token_ttl_s: 24 * 3600,
  /** Nodes that one join token lets in. */
  join_token_uses: 10_000,
  /** Join tokens in one answer. */
  join_tokens_listed: 500,
  /** Functions in force at a time. */
  functions: 256,
  /** Orders in one desired state: all functions in force, and the newest removals. A report has room for as many. */
  desired_functions: 1024,
  /** Steps of a function's history in one answer, the newest. */
  history_steps: 100,
  /** Recovery after a crash replays the write-ahead log, at most 1 GiB by default. */
  database_start_ms: 120_000,
  /** Sessions that are being closed are gone at once; one that hangs is ended after this long. */
  database_sessions_ms: 500,
  /** A stop writes a checkpoint. */
  database_stop_ms: 30_000,
  /** How long a registry that lost its database takes to end at most; its supervisor waits for that. */
  database_lost_ms: 500,
  /** One request to an S3 store. */
  blob_store_ms: 30_000,
  /** Bytes that nothing names any more stay for so long: longer than the longest request takes to publish what it has put. */
  blob_grace_s: 3600,
  /** How often a process looks for such bytes, and how many it removes at a time. */
  blob_collect_ms: 600_000,
  blob_batch: 100,
  /** A batch is given up after this time: what is asked of the store then, or before, is over long before `blob_settle_s`. */
  blob_lease_ms: 60_000,
  /** Bytes whose removal failed may be kept again after this time, and are tried again after that one. */
  blob_settle_s: 300,
  blob_retry_s: 3600,
  /** How long who keeps bytes waits for their removal to be over, and how often he looks. */
  blob_claim_ms: 3000,
  blob_claim_pause_ms: 100,
  /** Until a database that is kept elsewhere must have let the registry in. */
  database_connect_ms: 10_000,
  /** Entries that are no longer in a chain whose packets are still remembered, the latest. */
  chain_past_entries: 256,
  /** Between attempts to listen for other registries' changes again, and for each attempt. */
  notices_retry_ms: 1000,
  /** Path of a socket: sun_path has 108 bytes with the NUL (linux/un.h). */
  unix_socket_path_bytes: 107,
  /** Receiving one request, a release of `release_bytes` at 300 kB/s among them. */
  request_ms: 120_000,
  /** What requests under way get when the registry closes. */
  close_grace_ms: 5000,
  /** How long one request or database transaction may wait for its turn. */
  transaction_ms: 30_000,
  /** Pause between two looks of `hookline status --watch`. */
  watch_ms: 2000,
  page_items: 100,
  /** Characters of a filter of the audit log. */
  audit_filter_chars: 200,
  /** Requests in a minute: of an address without credentials, of an account, of a node. */
  rate_window_ms: 60_000,
  rate_anonymous: 6000,
  rate_reads: 6000,
  rate_writes: 1200,
  rate_publishes: 120,
  rate_nodes: 1200,
  /** Of one address with credentials that are refused. */
  rate_refusals: 60,
  /** When the process answers so late, requests of nobody in particular are sent away; how often that is looked at. */
  loop_delay_ms: 1000,
  loop_sample_ms: 1000,
  overload_retry_s: 5,
  /** Connections at a time, and how long one may be idle. */
  connections: 10_000,
  connection_idle_ms: 65_000,
  /** Characters and words of a search, values of one filter, values of a facet that are counted. */
  search_chars: 200,
  search_words: 8,
  search_filters: 20,
  search_facet_values: 50,
  /** Pages that are kept in memory; how long one is fresh, and how long it is still answered while it is read anew. */
  search_remembered: 500,
  search_remembered_ms: 30_000,
  search_stale_ms: 300_000,
  /** Beginning of a README that is searched. */
  search_readme_chars: 16_384,
  /** Beginning of a README that its page shows, and how many pages' READMEs are kept in memory as markup. */
  readme_shown_bytes: 128 << 10,
  readmes_kept: 100,
  /** Reports of objects that are kept in memory, and the bytes of the objects that they are of. */
  object_reports: 200,
  object_report_bytes: 64 << 20,
  /** Entries, and maps, that a drawing of an object has room for. */
  drawn_items: 40,
  /** Programs on one page of a namespace. */
  listed_programs: 50,
  /** Days of downloads that a chart shows. */
  chart_days: 90,
  /** Downloads are counted in memory for so long. */
  downloads_flush_ms: 5000,
  /** Days of a program's downloads in one answer. */
  download_days: 366,
  /** Why a release was yanked, deprecated or reported. */
  message_chars: 2000,
  /** Channels of one program. */
  program_channels: 32,
  /** A release may be deleted for so long after it was published. */
  delete_within_s: 72 * 3600,
  /** Open reports of one account. */
  account_reports: 50,
  /** Reports in one answer. */
  report_items: 200,
  // the transparency log
  /** One entry: its length is a uint16 in bundles (C2SP tlog-tiles). */
  log_entry_bytes: 65_535,
  /** Entries of a log: far beyond any number of changes. */
  log_size: 2 ** 40,
  /** Objects and lists within each other in one entry. */
  log_entry_depth: 16,
  /** Signers of one release in its entry: 8 of 2000 characters, 64 files of 250, and all escaped, stay below 64 KiB. */
  log_entry_signers: 8,
  /** A signed note: 16 signatures of 5 kB, as the largest algorithms make, in base64, and the text. */
  note_bytes: 128 << 10,
  note_signatures: 64,
  /** Lines that a checkpoint has behind its root. */
  checkpoint_extensions: 16,
  /** Hashes of one proof: two for each level of a tree whose size is a JSON number at most; C2SP tlog-witness allows 63. */
  log_proof_hashes: 63,
  /** How often one log may begin anew: each time is a ceremony of people. */
  log_epochs: 64,
  /** How long a node reports that a log lost entries that it had seen. */
  log_recovery_told_s: 86_400,
  /** How much older than one before it an entry may say to be, and newer than its checkpoint: the clocks of several registries. */
  log_entry_skew_s: 300,
  /** Clock skew accepted in the time of a checkpoint. */
  log_skew_s: 300,
  /** An idle log says so often that it has nothing newer; its checkpoints are looked at so often. */
  log_resign_s: 60,
  log_poll_ms: 1000,
  /** Age up to which a checkpoint counts as fresh for people: several signatures may be missed. */
  log_fresh_s: 600,
  /** One request to a witness, what it may answer, and the pauses before one that failed is asked again. */
  witness_timeout_ms: 5000,
  witness_answer_bytes: 16 << 10,
  witness_pause_ms: 1000,
  witness_pause_most_ms: 60_000,
  /** How often a witness is told in a row where it has to begin. */
  witness_tries: 3,
  /** Checkpoints of one witness that are kept: witnesses that are some changes apart have one in common. */
  witnessed_checkpoints: 32,
  /** Witnesses that a registry asks. */
  witnesses: 16,
  /** What a witness is sent: a note, 63 hashes of 45 bytes, a line. */
  witness_request_bytes: (128 << 10) + (4 << 10),
  witness_request_ms: 10_000,
  witness_connections: 256,
  metrics_request_ms: 10_000,
  metrics_connections: 16,
  /** Bundles and tiles that an audit asks for ahead of the one it checks. */
  log_audit_ahead: 16,
  /** A full bundle: 256 entries behind their lengths. */
  log_tile_bytes: 256 * 65_537,
  /** Requests about the catalog that an audit has under way, how long it waits when it asks too often, and how often. */
  audit_requests: 8,
  audit_wait_ms: 5000,
  audit_waits: 60,
  /** How often, and after which pause, the command line asks again for a checkpoint that witnesses have not signed yet. */
  witness_waits: 5,
  witness_wait_ms: 1000,
  /** Openings of hidden entries in one answer. */
  log_openings: 500,
  /** Entries listed at a time. */
  log_listed: 1000,
  /** What one remembers of all logs that one audited. */
  log_memory_bytes: 1 << 20,
  /** The text of a verifier key: a name, an id and the key. */
  note_key_chars: 1000,
  /** Witnesses that a policy names. */
  policy_witnesses: 16,
  // revocations
  /** A signed revocation: a message of LIMITS.message_chars of four bytes each, in base64, and a certificate with timestamps. */
  revocation_bytes: 32 << 10,
  /** Revocations in one answer. */
  revocation_items: 200,
  /** Revocations that one desired state carries, and their bytes, of a few hundred each. */
  desired_revocations: 256,
  desired_revocations_bytes: 4 << 20,
  /** Revocations that the publishers of one program, and of all programs of a namespace, may make; far below `agent_revocations`. */
  program_revocations: 256,
  namespace_revocations: 1024,
  /** Notes of revocations that a node keeps of the log: those that matter to its policy. */
  agent_revocations: 65_536,
  /** Revocations of one signer that a node believes, and keeps for ever: no pipeline ever published so many faulty releases. */
  signer_revocations: 16_384,
  /** Places in the log that a node remembers: of all releases of its desired state, and as many that were. */
  agent_places: 8192,
  /** Looks at a log that a node remembers, to a 16th of their age: those of ten years are 2 × 16 × ln(10 years / 1 s) = 630. */
  agent_sightings: 1024,
  /** What runs is looked at so often while its agent changes it. */
  running_tries: 3,
  /** A node asks for new checkpoints so often, give or take half. */
  agent_log_ms: 60_000,
  /** How long a node waits for witnesses to sign what is new, and how often it looks: they are asked at once, and take some 100 ms. */
  agent_witness_ms: 3000,
  agent_witness_pause_ms: 100,
  // the ELF reader
  elf_sections: 4096,
  elf_symbols: 1 << 17,
  elf_relocations: 1 << 18,
  /** A name in a string table. KSYM_NAME_LEN of the kernel is 512; only this many bytes are ever searched for its end. */
  elf_name_bytes: 512,
  /** Functions of one object; one program can have `bpf_subprograms`. */
  elf_functions: 8192,
  /** Maps of one object; one program can use `bpf_maps`. */
  elf_maps: 1024,
  /** All .bss sections of an object together: a section header of 64 bytes may claim any size. */
  elf_bss_bytes: 16 << 20,
  /** What all programs of an object reach: callees, helpers, maps and kernel symbols, each counted once per program. */
  elf_reach_items: 1 << 18,
  /**
   * Instructions that finding the permissions of a release looks at, each as often as what is known before it changes: 3 to 30
   * times in the programs that were measured. A million, as many as the kernel's verifier walks.
   */
  permission_steps: 1_000_000,
  /** Places named for one permission of one entry. */
  permission_places: 16,
  btf_types: 1 << 17,
  /** One blob of BTF as the kernel takes it (BTF_MAX_SIZE, kernel/bpf/btf.c). */
  btf_bytes: 16 << 20,
  /** Nested types, and modifiers in a row (MAX_RESOLVE_DEPTH of libbpf is 32). */
  btf_depth: 32,
  /** The layouts of all maps of an object as text: nested types could repeat each other without end. */
  btf_layout_chars: 1 << 20,
  /** Values and keys of one JSON document from a registry: parsed, each takes some hundred bytes. */
  json_items: 2_000_000,
  /** The same of a node's desired state: 1024 orders, 4096 releases of a few files, all their fields. */
  desired_json_items: 200_000,
  // the agent
  /** Interfaces are listed this often; a hook is taken within this time of its interface's coming. */
  agent_interfaces_ms: 500,
  /** The status file is written, and counters are read, this often. */
  agent_status_ms: 1000,
  /** Without a change the registry hears of the counters this often. */
  agent_report_ms: 2000,
  /** A node that was not heard of for so long is shown as silent: several reports and a poll are missing. */
  node_silent_s: 45,
  /** Chains of one report that lists of nodes tell of, and how much of a name. */
  summary_chains: 64,
  summary_chars: 64,
  // pages about the fleet
  /** Entries, errors and functions of one node that are drawn, and how much of a text that has no other bound. */
  picture_entries: 512,
  picture_errors: 64,
  picture_chars: 200,
  /** Last lines of a kernel's log that are shown before one asks for all of it. */
  picture_log_lines: 8,
  /** Steps of a function's past on its page, changes of one step, nodes of it, and the largest order that is shown as a file. */
  function_steps_shown: 20,
  function_changes_shown: 20,
  function_nodes_shown: 25,
  function_file_shown_bytes: 64 << 10,
  /** Orders that are remembered parsed, and their envelopes together. */
  functions_remembered: 500,
  functions_remembered_bytes: 32 << 20,
  /** A node that somebody watches is looked at this often. */
  live_poll_ms: 1000,
  /** A picture says how long ago things were: it is drawn again so often without a new report. */
  live_redraw_ms: 60_000,
  /** Where nothing changes a stream says so; below the 60 s after which proxies commonly cut. */
  live_beat_ms: 15_000,
  /** Whether who watches still may is looked at this often. */
  live_check_ms: 10_000,
  /** A browser whose stream broke off comes again after this time. */
  live_retry_ms: 3000,
  /** Streams of one process, and of one account: a browser has one for each node that it watches. */
  live_streams: 1000,
  live_streams_account: 20,
  /** The same for the status file of a host's own agent, which is written every second. */
  agent_silent_s: 5,
  /** Between an answer and the next question: a registry that always has news must not keep a node busy. */
  agent_poll_pause_ms: 50,
  /** All that one pass fetches; what is not there by then is tried again later. */
  agent_fetch_ms: 20_000,
  /** Unknown functions whose refusal is shown: a registry could make up any number. */
  agent_strangers: 16,
  /** Orders for other nodes that a node remembers, as many as a desired state has room for. */
  agent_orders_elsewhere: 1024,
  /** Policies that a node keeps; beyond these none that is for other nodes. */
  agent_policies: 64,
  /** First and longest pause before the registry is tried again. */
  agent_backoff_ms: 250,
  agent_backoff_most_ms: 10_000,
  /** First and longest pause before what failed is tried again. */
  /** Bounds of a wait for a known time: a clock that is set must not be missed for longer. */
  agent_alarm_least_ms: 10,
  agent_alarm_most_ms: 3_600_000,
  agent_retry_ms: 1000,
  agent_retry_most_ms: 60_000,
  /** A packet is through a chain within microseconds; a poll of the driver that holds the old program, within a few ms. */
  agent_retire_ms: 100,
  /** One probe of `hookline doctor`; the slowest, which reads the kernel's BTF, took 0.2 s. */
  probe_ms: 10_000,
  /** A change that cut the node off from its registry is taken back after this time without an answer. */
  agent_confirm_ms: 30_000,
  /** One question whether the registry answers, and the pause to the next. */
  agent_probe_ms: 5000,
  agent_probe_pause_ms: 500,
  // chains
  /** Entries of one chain; the counters of all fit one per-cpu value (32 KiB / 64 bytes = 512). */
  chain_entries: 256,
  /** Bytes of BPF stack in one frame (MAX_BPF_STACK, linux/filter.h). */
  bpf_stack_bytes: 512,
  /** Distinct maps of one program (MAX_USED_MAPS, linux/bpf_verifier.h). */
  bpf_maps: 64,
  /** Functions of one program (BPF_MAX_SUBPROGS, linux/bpf_verifier.h). */
  bpf_subprograms: 256,
  /** Items written into a map by one call: 4096 of 64 bytes are 256 KiB, which the kernel copies at once. */
  map_batch_items: 4096,
  /** Tail calls in a row (MAX_TAIL_CALL_CNT, linux/bpf.h). */
  bpf_tail_calls: 33,
  /** Programs of a chain that are preferred to slower forms; beyond 8 hops a tail call costs many times more. */
  chain_groups: 8,
  /** Instructions that the verifier may walk for one program, estimated from those of its parts; the kernel's own limit is a million. */
  chain_verified_instructions: 700_000,
  /** Loaded programs kept for the next build. */
  chain_originals: 512,
  /** One load in the loading process; after it that process is ended. */
  load_ms: 120_000,
  /** The loading process ends when nothing was to be loaded for so long. */
  loader_idle_ms: 5000,
  /** The verifier's log kept in memory. */
  verifier_log_bytes: 16 << 20,
  /** Files that one holder has sent ahead, how long they are kept, and from which size on a client sends one ahead. */
  staged_bytes: 64 << 20,
  staged_s: 86_400,
  stage_from_bytes: 256 << 10,
  /** How often a client tries a transfer that breaks off. */
  transfer_tries: 4,
  transfer_pause_ms: 300,
  /** Programs of one namespace, releases of one program a day, and bytes of one namespace's releases. */
  namespace_programs: 1000,
  program_releases_a_day: 200,
  namespace_bytes: 20 * 2 ** 30,
  /** Proofs of one namespace, a domain's name, a file that proves, and one question to a name server. */
  namespace_proofs: 16,
  domain_chars: 253,
  proof_bytes: 16 << 10,
  dns_ms: 3000,
  /** How often nonces of nodes that no longer count are forgotten. */
  nonce_sweep_ms: 30_000,
  /** A login, from its beginning to the browser's return; then its code is good for so long; and the token that is given for it. */
  login_s: 600,
  login_code_s: 60,
  login_token_s: 30 * 86_400,
  /** Addresses in a sitemap, as its protocol allows, and how long it may be taken from a cache. */
  sitemap_addresses: 50_000,
  sitemap_age_s: 600,
  /** How long a browser stays signed in. */
  session_s: 7 * 86_400,
  /** A page of one's own to return to. */
  own_path_chars: 1000,
  /** Releases in a feed, and how long a feed or badge may be taken from a cache. */
  feed_entries: 50,
  feed_age_s: 300,
  /** Webhooks of one namespace, or of the registry. */
  webhooks: 20,
  webhook_url_chars: 1000,
  webhook_events: 32,
  /** How often a process looks for what is due. */
  webhook_poll_ms: 1000,
  /** Deliveries that a process makes at a time. */
  webhook_batch: 16,
  webhook_timeout_ms: 10_000,
  /** How long a delivery is one process's: longer than it can last, so that a process that died does not keep it. */
  webhook_lease_ms: 60_000,
  /** Of an answer that is kept. */
  webhook_answer_bytes: 1024,
  /** Pauses between tries: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h. */
  webhook_pauses_s: [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400],
  /** After so long without one success a webhook is disabled. */
  webhook_hope_s: 5 * 86_400,
  /** Deliveries that are done with are kept so long, and looked through so often. */
  webhook_kept_s: 30 * 86_400,
  webhook_prune_ms: 3_600_000,
  /** What one publish is told at most. */
  checks: 1000,
  /** Name of a signer, and of who vouches for it. */
  signer_chars: 1000,
  /** Identities, and keys, that may sign for one namespace. */
  namespace_identities: 100,
  namespace_keys: 100,
  /** Sigstore's own has about 8 KiB. */
  trusted_root_bytes: 1 << 20,
  /** Timestamps, and log entries, of one bundle. */
  bundle_witnesses: 4,
  /** One request to a signing service. */
  signing_ms: 15_000,
  /** An identity token of a pipeline; those of GitHub have about 2 KiB. */
  id_token_chars: 16 << 10,
  /** Longest life of an identity token that is taken: how long it is remembered as used. */
  id_token_life_s: 86_400,
  /** Clock skew accepted in an identity token. */
  id_token_skew_s: 30,
  /** Life of the token that a pipeline is given. */
  workload_token_s: 900,
  /** Pipelines that may publish one program, and all programs of a namespace. */
  program_publishers: 16,
  namespace_publishers: 1000,
  /** Text in a trusted publisher, and in the claims that it is compared with. */
  publisher_chars: 400,
  /** What an issuer of identity tokens says of itself, and its keys. */
  issuer_bytes: 256 << 10,
  issuer_ms: 5000,
  /** How long an issuer's keys are taken from memory; one that is not among them is asked for sooner. */
  issuer_cache_s: 600,
} as const
