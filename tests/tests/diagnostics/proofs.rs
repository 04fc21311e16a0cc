//! What shows of every finding that it is really found. A finding of which nothing shows it doesn't compile.
//!
//! A proof is a fault of one of the tables here, or a test elsewhere that feeds what a real program once said or
//! counted to the code that judges it.

use std::fs;
use std::path::Path;

use secmon_wire::diag::FindingId;

use crate::{Fault, TABLES};

/// Why a finding is believed.
enum Proof {
    /// A fault of a table is found.
    Provoked,
    /// A test in this file, of this name, finds it in what was recorded.
    Recorded(&'static str, &'static str),
}

const ACME: &str = "agent-min/diag/src/errors/acme.rs";
const COMPARED: &str = "control/src/diag/compare_tests.rs";
const CONNECTIONS: &str = "agent-min/diag/src/kernel/connections_tests.rs";
const CPU: &str = "agent-min/diag/src/kernel/cpu.rs";
const CRAWLERS: &str = "agent-min/diag/src/flood/check_tests.rs";
const DATABASE: &str = "agent-min/diag/src/errors/database_tests.rs";
const DISK: &str = "agent-min/diag/src/kernel/disk_tests.rs";
const FLOOD: &str = "agent-min/diag/src/flood/rules_tests.rs";
const GREETING: &str = "agent-min/diag/src/probe/databases_tests.rs";
const LABELS: &str = "agent-min/diag/tests/flood_labels.rs";
const MEMORY: &str = "agent-min/diag/src/kernel/memory.rs";

const fn proof(id: FindingId) -> Proof {
    use FindingId as F;
    use Proof::{Provoked, Recorded};
    match id {
        F::ClockSkew
        | F::DbAuthFail
        | F::DbConnNearLimit
        | F::DbCorrupt
        | F::WebApacheMaxworkers
        | F::DbCrashRestart
        | F::DbDown
        | F::DbHung
        | F::DbLockWait
        | F::DbRecovering
        | F::DbRunningPile
        | F::DbSlowRate
        | F::DbTmpDisk
        | F::DbTooManyConn
        | F::DiskExt4Errors
        | F::DiskFull
        | F::DiskInodes
        | F::DiskLogGrowth
        | F::DiskReadonly
        | F::DiskTmpFull
        | F::DnsBroken
        | F::DnsSiteWrong
        | F::Http502
        | F::Http504
        | F::Http5xxRate
        | F::HttpBlank200
        | F::HttpCriticalError
        | F::HttpDbErrorPage
        | F::HttpEdge52x
        | F::HttpMaintenance
        | F::HttpRedirectLoop
        | F::HttpSlowTtfb
        | F::HttpVhostWrong
        | F::MemLow
        | F::MemOom
        | F::MemOvercommit
        | F::NetConntrackFull
        | F::NetEphemeral
        | F::NetListenOverflow
        | F::NetSynFlood
        | F::NetTcpMem
        | F::PhpBacklogFull
        | F::PhpDebuglogHuge
        | F::PhpDownNosock
        | F::PhpDownStale
        | F::PhpFatalPlugin
        | F::PhpMaxChildren
        | F::PhpMemoryLimit
        | F::PhpOutboundStuck
        | F::PhpQueue
        | F::PhpSockMismatch
        | F::PhpSockPerm
        | F::PhpStatus
        | F::PhpTimeout
        | F::PhpWorkerCrash
        | F::SysCrashLoop
        | F::SysDpkgBroken
        | F::SysDstate
        | F::SysFdMax
        | F::SysPids
        | F::SysUnitDown
        | F::TlsChainIncomplete
        | F::TlsExpired
        | F::TlsExpiring
        | F::TlsIntermediateExpired
        | F::TlsKeyMismatch
        | F::TlsNotReloaded
        | F::TlsSelfsignedStrict
        | F::TlsWrongSan
        | F::Web413
        | F::WebAcceptQueue
        | F::WebConfigBroken
        | F::WebDown
        | F::WebFdLimit
        | F::WebLogStale
        | F::WebOriginExposed
        | F::WebPortConflict
        | F::WebRealipMissing
        | F::WebUpstreamHeader
        | F::WebWorkerCrash
        | F::WebWorkersExhausted => Provoked,
        F::TlsAcmeFailing => Recorded(ACME, "a_failure_counts_until_a_success"),
        F::DiskFillEta => {
            Recorded(COMPARED, "a_disk_that_fills_in_two_stretches_is_foreseen_and_one_backup_is_not")
        }
        F::DbOomKilled | F::PhpKilledOom => {
            Recorded(COMPARED, "a_kill_names_the_unit_that_memory_ran_out_in")
        }
        F::MemSwapThrash => {
            Recorded(COMPARED, "each_counter_is_a_finding_on_one_side_of_its_limit_and_none_on_the_other")
        }
        F::CpuSteal | F::CpuThrottled | F::NetErrs => {
            Recorded(COMPARED, "each_share_is_a_finding_on_one_side_of_its_limit_and_none_on_the_other")
        }
        F::SysRebooted => Recorded(COMPARED, "the_first_look_another_boot_and_a_total_that_fell_say_nothing"),
        F::FloodSlowloris => {
            Recorded(CONNECTIONS, "one_clients_half_open_requests_are_told_from_what_php_works_on")
        }
        F::CpuSaturated => Recorded(CPU, "a_processor_is_full_when_tasks_wait_and_it_is_never_idle"),
        F::FakeBot => Recorded(CRAWLERS, "only_who_is_no_crawler_for_certain_is_called_a_false_one"),
        F::DbDiskFull => Recorded(DATABASE, "a_disk_that_has_room_again_is_not_full_but_a_quota_may_be"),
        F::DiskIoStall => Recorded(DISK, "a_stall_must_have_lasted_and_names_the_busiest_disk"),
        F::HttpCfBypassCache => Recorded(FLOOD, "a_cache_that_never_helps_is_told"),
        F::FloodLoginSuccess => {
            Recorded(FLOOD, "a_login_after_ten_failures_is_told_and_one_after_nine_is_not")
        }
        F::FloodLoginSlow => Recorded(FLOOD, "a_slow_attack_shows_over_an_hour"),
        F::FloodXmlrpc => Recorded(FLOOD, "an_attack_that_is_older_than_the_log_is_still_one"),
        F::CrawlAi
        | F::FloodAjax
        | F::FloodFacet
        | F::FloodPost
        | F::FloodSubnet
        | F::FloodUa
        | F::FloodWpcron => Recorded(FLOOD, "each_flood_is_found_from_its_threshold_on_and_alone"),
        F::FloodDistributed => Recorded(FLOOD, "many_who_fetch_pages_only_are_a_distributed_flood"),
        F::FloodSingleIp => Recorded(FLOOD, "on_a_busy_site_one_visitor_needs_twice_as_many"),
        F::Flood404Dyn => Recorded(FLOOD, "one_second_of_missing_pages_is_a_flood_and_no_search"),
        F::BenignSurge => Recorded(FLOOD, "people_who_look_at_pictures_are_no_flood"),
        F::WpCronStalled => Recorded(FLOOD, "scheduled_tasks_that_stopped_an_hour_ago_are_told"),
        F::FloodDirect => Recorded(FLOOD, "what_comes_past_cloudflare_cannot_be_stopped_there"),
        F::DbHostBlocked => Recorded(GREETING, "a_full_server_says_so_itself"),
        F::FloodCachebust | F::FloodSearch => {
            Recorded(LABELS, "each_phase_of_the_laboratory_is_named_when_it_ends")
        }
        F::Scan404 => Recorded(LABELS, "scanners_on_a_small_server_are_named_and_its_users_are_not"),
        F::FloodLogin => Recorded(LABELS, "short_extracts_are_what_they_were_made_for"),
        F::Http499Burst => Recorded(LABELS, "three_seconds_of_a_flood_that_fails_are_to_be_blocked"),
        F::MemPsi => {
            Recorded(MEMORY, "waiting_for_memory_has_two_steps_and_a_restart_only_against_one_greedy_worker")
        }
    }
}

#[test]
fn every_finding_is_provoked_or_recorded() {
    for id in FindingId::ALL {
        let is_provoked = provoked().any(|name| name == id.as_str());
        match proof(*id) {
            Proof::Provoked => assert!(is_provoked, "no fault provokes {id}"),
            Proof::Recorded(file, test) => {
                assert!(!is_provoked, "a fault provokes {id}: say so");
                let finds = tells_of(&source(file), test, *id);
                assert_eq!(finds, Some(true), "{file}: {test} must be a test that finds {id}");
            }
        }
    }
}

#[test]
fn every_fault_is_of_a_finding_there_is() {
    for name in provoked() {
        assert!(FindingId::new(name).is_some(), "{name}");
    }
}

#[test]
fn a_test_that_is_not_there_or_tells_of_something_else_is_no_proof() {
    let source = "const CASES: &[F] = &[\n    F::MemOom,\n];\n\n#[test]\nfn cases() {\n    run(CASES, \"mem-low\");\n}\n\
                  \nfn no_test() {\n    F::MemPsi;\n}\n\n#[test]\n#[ignore]\nfn left_out() {\n    F::MemPsi;\n}\n";
    assert_eq!(tells_of(source, "cases", FindingId::MemOom), Some(true));
    assert_eq!(tells_of(source, "cases", FindingId::MemLow), Some(true));
    assert_eq!(tells_of(source, "cases", FindingId::MemPsi), Some(false));
    for name in ["no_test", "left_out", "case", "other"] {
        assert_eq!(tells_of(source, name, FindingId::MemPsi), None, "{name}");
    }
    let sentence = "#[test]\nfn said() {\n    assert_eq!(found(), [\"3 % of the time everything waits for memory\"]);\n}\n";
    assert_eq!(tells_of(sentence, "said", FindingId::MemPsi), Some(true));
}

fn provoked() -> impl Iterator<Item = &'static str> {
    TABLES
        .iter()
        .copied()
        .flatten()
        .flat_map(|Fault { finding, hence, .. }| [Some(*finding), *hence])
        .flatten()
}

fn source(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Whether the test of this name, or a table that it names, tells of a finding; `None` where no such test runs.
fn tells_of(source: &str, test: &str, id: FindingId) -> Option<bool> {
    let lines: Vec<&str> = source.lines().collect();
    let head = format!("fn {test}(");
    let at = lines.iter().position(|line| line.trim_start().starts_with(&head))?;
    let attributes =
        lines[..at].iter().rev().map(|line| line.trim()).take_while(|line| line.starts_with("#["));
    let attributes: Vec<&str> = attributes.collect();
    if !attributes.contains(&"#[test]") || attributes.iter().any(|line| line.starts_with("#[ignore")) {
        return None;
    }
    let body = item(&lines, at);
    let tables = lines.iter().enumerate().filter_map(|(at, line)| Some((at, constant(line)?)));
    let named = tables.filter(|(_, name)| words(&body).any(|word| word == *name));
    let named: Vec<String> = named.map(|(at, _)| item(&lines, at)).collect();
    Some(mentions(&body, id) || named.iter().any(|table| mentions(table, id)))
}

/// The item that begins in this line, down to the line that closes it.
fn item(lines: &[&str], at: usize) -> String {
    let indent = lines[at].len() - lines[at].trim_start().len();
    let closes = |line: &&str| {
        matches!(line.get(indent..), Some("}" | "};" | "];")) && line[..indent].trim().is_empty()
    };
    let is_block = lines[at].ends_with(['{', '[', '(']);
    let ends = |line: &&str| if is_block { closes(line) } else { line.ends_with(';') };
    let length = lines[at..].iter().position(ends).unwrap_or_default();
    lines[at..=at + length].join("\n")
}

fn constant(line: &str) -> Option<&str> {
    line.trim_start().strip_prefix("const ")?.split_once(':').map(|(name, _)| name)
}

/// Its name in code or in messages, or what is longest in its sentence.
fn mentions(text: &str, id: FindingId) -> bool {
    let sentence = id.entry().sentence.split(['{', '}']).step_by(2).max_by_key(|part| part.len());
    let variant = format!("{id:?}");
    words(text).any(|word| word == variant || word == id.as_str())
        || sentence.is_some_and(|sentence| text.contains(sentence))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-'))
}
