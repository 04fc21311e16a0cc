#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

use secmon_wire::diag::Counters;
use secmon_wire::{ActionId, Unit};

use super::*;

const NOW: u64 = 1_767_225_600;
const BOOT: [u8; 16] = [1; 16];

type Counted<'c> = &'c [(CounterId, &'c str, u64)];

/// A look so many seconds ago.
fn look(ago: u64, counted: Counted<'_>) -> Sample {
    let mut counters = Counters::new();
    for (id, key, value) in counted {
        assert!(counters.add(*id, key, *value));
    }
    Sample { taken: NOW - ago, boot: BOOT, counters }
}

/// What two looks say, the older one so many seconds before the newer one.
fn between(seconds: u64, before: Counted<'_>, after: Counted<'_>) -> Vec<Compared> {
    compare(&[look(seconds, before)], &look(0, after), &[], &[])
}

fn said(found: &[Compared]) -> Vec<(FindingId, Severity, String)> {
    let one = |new: &Compared| (new.finding.id, new.finding.severity, new.finding.to_string());
    found.iter().map(one).collect()
}

/// One counter: the seconds between the looks, what it rose by, and what that is.
type Case = (CounterId, u64, u64, Option<(FindingId, Severity, &'static str)>);

const TABLE: &[Case] = {
    use CounterId::*;
    use FindingId as F;
    use Severity::*;
    &[
        (OomKills, 30, 0, None),
        (OomKills, 30, 1, Some((F::MemOom, Warning, "Memory ran out: the kernel killed a process"))),
        (OomKills, 86_400, 1, Some((F::MemOom, Warning, "Memory ran out: the kernel killed a process"))),
        (OomKills, 86_401, 1, Some((F::MemOom, Info, "Memory ran out: the kernel killed a process"))),
        (ListenOverflows, 60, 60, None),
        (
            ListenOverflows,
            60,
            61,
            Some((F::NetListenOverflow, Warning, "The kernel drops new connections: 61 since the last look")),
        ),
        (
            ListenOverflows,
            60,
            301,
            Some((
                F::NetListenOverflow,
                Critical,
                "The kernel drops new connections: 301 since the last look",
            )),
        ),
        // Five seconds of it are not a minute of it.
        (ListenDrops, 5, 60, None),
        (ListenDrops, 600, 600, None),
        (
            ListenDrops,
            600,
            601,
            Some((
                F::NetListenOverflow,
                Warning,
                "The kernel drops new connections: 601 since the last look",
            )),
        ),
        (SynCookies, 60, 300, None),
        (
            SynCookies,
            60,
            301,
            Some((F::NetSynFlood, Warning, "SYN flood: 301 connections were begun and not finished")),
        ),
        (SwapPages, 120, 24_000, None),
        (SwapPages, 10, 24_000, None),
        (
            SwapPages,
            120,
            25_200,
            Some((F::MemSwapThrash, Warning, "Memory is swapped in and out (210 pages a second)")),
        ),
        (TcpMemoryPressures, 60, 0, None),
        (TcpMemoryPressures, 60, 1, Some((F::NetTcpMem, Warning, "TCP's memory runs short"))),
        (DbSlowQueries, 60, 60, None),
        (DbSlowQueries, 60, 66, Some((F::DbSlowRate, Warning, "11 slow database queries in 10 s"))),
        (DbSlowQueries, 60, 126, Some((F::DbSlowRate, Critical, "21 slow database queries in 10 s"))),
        (DiskErrors, 60, 0, None),
        (DiskErrors, 60, 2, Some((F::DiskExt4Errors, Warning, "2 file system errors on it"))),
        (LogSize, 3_600, 200_000_000, None),
        (LogSize, 600, 200_000_001, Some((F::DiskLogGrowth, Warning, "it is 201 MB and grows"))),
        (LogSize, 7_200, 300_000_000, None),
        (PidsDenied, 60, 0, None),
        (PidsDenied, 60, 1, Some((F::SysPids, Warning, "No more processes can be started in it"))),
        // These say something only beside others.
        (UnitOomKills, 60, 1, None),
        (FpmMaxChildren, 60, 9, None),
        (DbUptime, 60, 60, None),
        (Instance, 60, 60, None),
        (DiskFree, 60, 60, None),
        (DiskReadonly, 60, 0, None),
    ]
};

/// `of` rose by so much, the counter by so much in so many seconds.
type Share = (CounterId, CounterId, u64, u64, u64, Option<(FindingId, Severity, u64)>);

const SHARES: &[Share] = {
    use CounterId::*;
    use FindingId as F;
    use Severity::*;
    &[
        (CpuSteal, CpuTotal, 300, 60_000, 6_000, None),
        (CpuSteal, CpuTotal, 300, 60_000, 6_001, Some((F::CpuSteal, Warning, 10))),
        (CpuSteal, CpuTotal, 300, 60_000, 15_001, Some((F::CpuSteal, Critical, 25))),
        // Half of thirty seconds is a twentieth of five minutes.
        (CpuSteal, CpuTotal, 30, 6_000, 3_000, None),
        (CpuSteal, CpuTotal, 150, 30_000, 9_000, Some((F::CpuSteal, Warning, 30))),
        (CpuThrottled, CpuThrottlePeriods, 60, 600, 60, None),
        (CpuThrottled, CpuThrottlePeriods, 60, 600, 61, Some((F::CpuThrottled, Warning, 10))),
        (CpuThrottled, CpuThrottlePeriods, 60, 10, 9, None),
        (NetErrors, NetPackets, 3_600, 100_000, 1_000, None),
        (NetErrors, NetPackets, 3_600, 100_000, 1_001, Some((F::NetErrs, Warning, 1))),
        (NetErrors, NetPackets, 3_600, 50, 99, None),
        (DbTmpDiskTables, DbTmpTables, 60, 3_000, 1_500, None),
        (DbTmpDiskTables, DbTmpTables, 60, 3_000, 1_501, Some((F::DbTmpDisk, Warning, 50))),
        (DbTmpDiskTables, DbTmpTables, 60, 1_300, 1_200, None),
    ]
};

#[test]
fn each_counter_is_a_finding_on_one_side_of_its_limit_and_none_on_the_other() {
    for (id, seconds, rise, expected) in TABLE {
        let found = between(*seconds, &[(*id, "it", 1_000_000)], &[(*id, "it", 1_000_000 + rise)]);
        let expected: Vec<_> =
            expected.iter().map(|(id, severity, text)| (*id, *severity, (*text).to_owned())).collect();
        assert_eq!(said(&found), expected, "{id} by {rise} in {seconds} s");
        assert!(found.iter().all(|new| new.within == *seconds));
    }
}

#[test]
fn each_share_is_a_finding_on_one_side_of_its_limit_and_none_on_the_other() {
    for (id, of, seconds, whole, part, expected) in SHARES {
        let before = [(*id, "it", 7), (*of, "it", 9)];
        let after = [(*id, "it", 7 + part), (*of, "it", 9 + whole)];
        let found = between(*seconds, &before, &after);
        let found: Vec<_> = found
            .iter()
            .map(|new| &new.finding)
            .map(|found| (found.id, found.severity, found.facts.get_number(FactName::Percent)))
            .collect();
        let expected: Vec<_> =
            expected.iter().map(|(id, severity, percent)| (*id, *severity, Some(*percent))).collect();
        assert_eq!(found, expected, "{id} {part} of {whole} in {seconds} s");
        assert_eq!(between(*seconds, &[(*id, "it", 0)], &[(*id, "it", *part)]), [], "{id} of nothing");
    }
}

#[test]
fn every_counter_has_a_case() {
    for id in CounterId::ALL {
        let alone = TABLE.iter().any(|case| case.0 == *id);
        let share = SHARES.iter().any(|case| case.0 == *id || case.1 == *id);
        // It is compared with former days, and has tests of its own for that.
        let usual = *id == CounterId::RequestRate;
        assert!(alone || share || usual, "{id}");
    }
}

#[test]
fn the_first_look_another_boot_and_a_total_that_fell_say_nothing() {
    let many: Vec<_> = CounterId::ALL.iter().map(|id| (*id, "it", 1_000_000_000)).collect();
    assert_eq!(compare(&[], &look(0, &many), &[], &[]), []);
    let few: Vec<_> = CounterId::ALL.iter().map(|id| (*id, "it", 0)).collect();
    let other_boot = Sample { boot: [2; 16], ..look(60, &few) };
    let found = compare(&[other_boot], &look(0, &many), &[], &[]);
    assert_eq!(said(&found).iter().map(|one| one.0).collect::<Vec<_>>(), [FindingId::SysRebooted]);
    let fallen: Vec<_> = many.iter().filter(|(id, ..)| *id != CounterId::DbUptime).copied().collect();
    assert_eq!(between(60, &fallen, &few), []);
    let future = Sample { taken: NOW + 60, ..look(0, &few) };
    assert_eq!(compare(&[future], &look(0, &many), &[], &[]), []);
    assert_ne!(between(60, &few, &many), []);
}

#[test]
fn asking_twice_in_a_row_gives_the_same_answer_and_a_minute_later_it_is_over() {
    let (none, one) = ([(CounterId::OomKills, "", 0)], [(CounterId::OomKills, "", 1)]);
    let past = [look(20, &one), look(30, &one), look(300, &none)];
    let found = compare(&past, &look(0, &one), &[], &[]);
    assert_eq!(
        found.iter().map(|new| (new.finding.id, new.within)).collect::<Vec<_>>(),
        [(FindingId::MemOom, 300)]
    );
    let past = [look(20, &one), look(60, &one), look(300, &none)];
    assert_eq!(compare(&past, &look(0, &one), &[], &[]), []);
    // A look of other areas in between has other counters.
    let past = [look(60, &[(CounterId::DiskFree, "/", 5)]), look(300, &none)];
    assert_eq!(compare(&past, &look(0, &one), &[], &[]).len(), 1);
}

#[test]
fn a_kill_names_the_unit_that_memory_ran_out_in() {
    let kills = |total, db, php, other| {
        [
            (CounterId::OomKills, "", total),
            (CounterId::UnitOomKills, "mariadb.service", db),
            (CounterId::UnitOomKills, "php8.2-fpm.service", php),
            (CounterId::UnitOomKills, "nginx.service", other),
        ]
    };
    let names = |after: [(CounterId, &str, u64); 4]| -> Vec<String> {
        between(60, &kills(0, 0, 0, 0), &after).iter().map(|new| new.finding.to_string()).collect()
    };
    let oom = "Memory ran out: the kernel killed mariadb";
    assert_eq!(names(kills(1, 1, 0, 0)), [oom, "mariadb was killed because memory ran out"]);
    let oom = "Memory ran out: the kernel killed php8.2-fpm";
    assert_eq!(names(kills(3, 0, 3, 1)), [oom, "A PHP worker was killed because memory ran out"]);
    assert_eq!(names(kills(1, 0, 0, 1)), ["Memory ran out: the kernel killed nginx"]);
    assert_eq!(names(kills(0, 0, 0, 0)), Vec::<String>::new());
}

#[test]
fn a_unit_whose_count_went_with_it_is_named_if_it_alone_is_another_process_now() {
    let at = |ago, total, db: Option<u64>, php: u64| {
        let mut counted = vec![
            (CounterId::OomKills, "", total),
            (CounterId::UnitOomKills, "system.slice", total),
            (CounterId::Instance, "php8.2-fpm.service", php),
        ];
        counted.extend(db.map(|instance| (CounterId::Instance, "mariadb.service", instance)));
        look(ago, &counted)
    };
    let names = |now: Sample, ours: &[OwnRestart]| -> Vec<String> {
        let found = compare(&[at(60, 3, Some(1), 1)], &now, &[], ours);
        found.iter().map(|new| new.finding.to_string()).collect()
    };
    let oom = |name| format!("Memory ran out: the kernel killed {name}");
    let db = "mariadb was killed because memory ran out".to_owned();
    assert_eq!(names(at(0, 4, Some(2), 1), &[]), [oom("mariadb"), db.clone()], "it came back");
    assert_eq!(names(at(0, 4, None, 1), &[]), [oom("mariadb"), db], "it didn't");
    assert_eq!(names(at(0, 4, Some(1), 2), &[]), [oom("php8.2-fpm")], "all of PHP, not a worker");
    assert_eq!(names(at(0, 4, Some(2), 2), &[]), [oom("a process")], "nobody knows");
    assert_eq!(names(at(0, 4, Some(1), 1), &[]), [oom("a process")]);
    assert_eq!(names(at(0, 3, Some(2), 1), &[]), Vec::<String>::new(), "restarted, not killed");
    let own = OwnRestart { at: NOW - 5, operation: OperationId::RestartDb, unit: Unit::new("mariadb") };
    assert_eq!(names(at(0, 4, Some(2), 1), &[own]), [oom("a process")], "we replaced it");
}

#[test]
fn what_was_killed_and_stayed_down_may_be_started_again() {
    let (before, after) = ([(CounterId::OomKills, "", 0)], [(CounterId::OomKills, "", 1)]);
    let found = |seen: &[Finding]| {
        compare(&[look(60, &before)], &look(0, &after), seen, &[]).remove(0).finding.action
    };
    let down = |severity| Finding::new(FindingId::PhpDownStale, severity).action(ActionId::RestartPhp);
    assert_eq!(found(&[down(Severity::Critical)]), Some(ActionId::RestartPhp));
    assert_eq!(found(&[down(Severity::Info)]), None);
    assert_eq!(found(&[]), None);
    let other = Finding::new(FindingId::TlsNotReloaded, Severity::Warning).action(ActionId::RestartWeb);
    assert_eq!(found(&[other]), None, "memory has nothing to do with it");
}

#[test]
fn php_at_its_limit_is_a_finding_only_while_requests_wait() {
    let (before, after) = ([(CounterId::FpmMaxChildren, "www", 3)], [(CounterId::FpmMaxChildren, "www", 5)]);
    let queue = |severity| {
        let facts = Facts::new().number(FactName::Limit, 5).number(FactName::Count, 9);
        Finding::new(FindingId::PhpQueue, severity).with(facts)
    };
    let found = |seen: &[Finding], after| compare(&[look(60, &before)], &look(0, after), seen, &[]);
    let reached = "PHP reached its limit of 5 workers 2 times".to_owned();
    let expected = [(FindingId::PhpMaxChildren, Severity::Warning, reached)];
    assert_eq!(said(&found(&[queue(Severity::Warning)], &after)), expected);
    assert_eq!(found(&[queue(Severity::Info)], &after), []);
    assert_eq!(found(&[queue(Severity::Critical)], &before), []);
    assert_eq!(found(&[], &after), []);
}

#[test]
fn a_database_that_runs_for_a_shorter_time_restarted_unless_we_did_it() {
    let (before, after) = ([(CounterId::DbUptime, "MariaDB", 9_000)], [(CounterId::DbUptime, "MariaDB", 40)]);
    let own = |operation, ago| OwnRestart { at: NOW - ago, operation, unit: None };
    let found = |ours: &[OwnRestart]| compare(&[look(100, &before)], &look(0, &after), &[], ours);
    assert_eq!(
        said(&found(&[])),
        [(FindingId::DbCrashRestart, Severity::Warning, "MariaDB restarted by itself".to_owned())]
    );
    assert_eq!(found(&[])[0].within, 40);
    assert_eq!(found(&[own(OperationId::RestartDb, 50)]), []);
    assert_eq!(found(&[own(OperationId::RestartDb, 101)]).len(), 1, "that was before");
    assert_eq!(found(&[own(OperationId::RestartPhp, 50)]).len(), 1, "that was another");
    assert_eq!(between(100, &after, &before), []);
    assert_eq!(between(100, &before, &before), []);
}

#[test]
fn a_file_system_that_became_read_only_is_one_as_long_as_it_is() {
    let (rw, ro) = ([(CounterId::DiskReadonly, "/var", 0)], [(CounterId::DiskReadonly, "/var", 1)]);
    let expected =
        [(FindingId::DiskReadonly, Severity::Critical, "/var can no longer be written to".to_owned())];
    assert_eq!(said(&between(60, &rw, &ro)), expected);
    let past = [look(60, &ro), look(3_600, &ro), look(3 * 86_400, &rw)];
    assert_eq!(said(&compare(&past, &look(0, &ro), &[], &[])), expected);
    assert_eq!(between(60, &ro, &ro), [], "it was made so");
    assert_eq!(between(60, &ro, &rw), []);
}

#[test]
fn a_disk_that_fills_in_two_stretches_is_foreseen_and_one_backup_is_not() {
    let free = |ago, gb: u64| look(ago, &[(CounterId::DiskFree, "/var", gb * 1_000_000_000)]);
    let foreseen = |points: &[(u64, u64)]| {
        let past: Vec<_> = points.iter().skip(1).map(|(ago, gb)| free(*ago, *gb)).collect();
        said(&compare(&past, &free(0, points[0].1), &[], &[]))
    };
    let full = |severity, hours| {
        vec![(FindingId::DiskFillEta, severity, format!("/var will be full in about {hours} h"))]
    };
    assert_eq!(foreseen(&[(0, 10), (1_800, 11), (3_600, 12)]), full(Severity::Warning, 5));
    assert_eq!(foreseen(&[(0, 4), (1_800, 5), (3_600, 6)]), full(Severity::Critical, 2));
    // The slower of both stretches counts.
    assert_eq!(foreseen(&[(0, 10), (1_800, 15), (5_400, 16)]), full(Severity::Warning, 10));
    for none in [
        &[(0, 10), (1_800, 11)][..],
        &[(0, 10), (1_799, 11), (3_599, 12)],
        &[(0, 10), (1_800, 11), (3_600, 11)],
        &[(0, 10), (1_800, 9), (3_600, 12)],
        &[(0, 100), (1_800, 101), (3_600, 102)],
        &[(0, 10), (50_000, 11), (90_000, 12)],
    ] {
        assert_eq!(foreseen(none), [], "{none:?}");
    }
}

#[test]
fn a_unit_that_is_another_process_at_every_look_is_in_a_loop() {
    let at = |ago, instance| look(ago, &[(CounterId::Instance, "mariadb.service", instance)]);
    let past = [at(10, 3), at(100, 3), at(200, 2), at(300, 1)];
    let looped = said(&compare(&past, &at(0, 4), &[], &[]));
    let text = "mariadb restarts again and again (3 times)".to_owned();
    assert_eq!(looped, [(FindingId::SysCrashLoop, Severity::Critical, text)]);
    assert_eq!(compare(&past, &at(0, 3), &[], &[]), [], "two changes");
    let slower = [at(10, 3), at(100, 3), at(200, 2), at(301, 1)];
    assert_eq!(compare(&slower, &at(0, 4), &[], &[]), [], "not within five minutes");
    let own = |unit| OwnRestart { at: NOW - 50, operation: OperationId::RestartDb, unit: Unit::new(unit) };
    assert_eq!(compare(&past, &at(0, 4), &[], &[own("mariadb")]), [], "one of them was ours");
    assert_eq!(compare(&past, &at(0, 4), &[], &[own("nginx")]).len(), 1);
}

#[test]
fn what_the_host_found_itself_is_not_said_twice() {
    let (before, after) = (
        [(CounterId::OomKills, "", 0), (CounterId::LogSize, "/a", 0), (CounterId::LogSize, "/b", 0)],
        [
            (CounterId::OomKills, "", 1),
            (CounterId::LogSize, "/a", 900_000_000),
            (CounterId::LogSize, "/b", 900_000_000),
        ],
    );
    let own = Facts::new().text(FactName::Name, "mariadbd");
    let log = Facts::new().text(FactName::File, "/a").number(FactName::Size, 2_000_000_000);
    let seen = [
        Finding::new(FindingId::MemOom, Severity::Critical).with(own),
        Finding::new(FindingId::DiskLogGrowth, Severity::Warning).with(log),
    ];
    let found = compare(&[look(60, &before)], &look(0, &after), &seen, &[]);
    assert_eq!(said(&found).iter().map(|one| one.2.as_str()).collect::<Vec<_>>(), ["/b is 900 MB and grows"]);
    assert_eq!(between(60, &before, &after).len(), 3);
    // What the host only mentions hides nothing.
    let mentioned = Finding::new(FindingId::MemOom, Severity::Info);
    let found = compare(&[look(60, &before)], &look(0, &after), &[mentioned], &[]);
    assert!(found.iter().any(|new| new.finding.id == FindingId::MemOom));
    // Two counters, one finding, the worse one.
    let drops = [(CounterId::ListenDrops, "", 400), (CounterId::ListenOverflows, "", 70)];
    let found = between(60, &[(CounterId::ListenDrops, "", 0), (CounterId::ListenOverflows, "", 0)], &drops);
    assert_eq!(found.iter().map(|new| new.finding.severity).collect::<Vec<_>>(), [Severity::Critical]);
}

proptest::proptest! {
    #[test]
    fn no_counters_panic_the_comparison(
        values in proptest::collection::vec((0..25_usize, 0..3_usize, 0..=u64::MAX, 0..4_usize), 0..60),
        taken in proptest::collection::vec(0..=u64::MAX, 4),
    ) {
        let keys = ["", "mariadb.service", "/var"];
        let looks: Vec<Sample> = (0..4).map(|at| {
            let mut counters = Counters::new();
            for (id, key, value, _) in values.iter().filter(|value| value.3 == at) {
                counters.add(CounterId::ALL[id % CounterId::ALL.len()], keys[*key], *value);
            }
            Sample { taken: taken[at], boot: BOOT, counters }
        }).collect();
        compare(&looks[1..], &looks[0], &[], &[]);
    }
}
