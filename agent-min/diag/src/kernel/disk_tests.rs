use proptest::prelude::*;

use super::*;
use crate::stack::{Database, DatabaseKind};
use crate::testing::{FakeHost, ThisHost};

const MB: u64 = 1_000_000;
const GB: u64 = 1_000 * MB;
const CALM: &str =
    "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
const MOUNTINFO: &str = "27 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro\n\
                         28 27 254:1 /x /bind rw - ext4 /dev/vda1 rw\n\
                         30 27 254:16 / /data rw - ext4 /dev/vdb rw\n\
                         31 27 7:1 / /snap/core ro,nodev - squashfs /dev/loop1 ro\n\
                         32 27 254:32 / /backup rw - xfs /dev/vdc rw\n\
                         35 27 254:48 /etc/os-release /run/host/os-release ro - ext4 /dev/vdd rw\n\
                         33 27 0:41 / /tmp rw - tmpfs tmpfs rw\n\
                         34 27 0:42 / /proc rw - proc proc rw\n";

fn room(size: u64, free: u64) -> Filesystem {
    Filesystem { size, free, inodes: 0, inodes_free: 0, readonly: false }
}

fn host() -> FakeHost {
    FakeHost::default()
        .file("/proc/self/mountinfo", MOUNTINFO)
        .file("/proc/pressure/io", CALM)
        .filesystem_at("/", room(20 * GB, 10 * GB))
        .filesystem_at("/data", room(20 * GB, 10 * GB))
        .filesystem_at("/backup", room(20 * GB, 10 * GB))
        .filesystem_at("/tmp", room(GB, GB))
}

fn stack() -> Stack {
    let database = Database {
        kind: DatabaseKind::MariaDb,
        unit: "mariadb".to_owned(),
        listen: crate::host::Endpoint::Unix("/run/mysqld/mysqld.sock".to_owned()),
        data: Some("/data/mysql".to_owned()),
        error_log: None,
        buffer_pool: 0,
    };
    Stack { databases: vec![database], units: vec!["mariadb.service".to_owned()], ..Stack::default() }
}

fn found(host: &FakeHost) -> Vec<(Severity, String)> {
    let mut notes = Notes::default();
    check(host, &stack(), &mut notes);
    notes.findings().iter().map(|finding| (finding.severity, finding.to_string())).collect()
}

#[test]
fn disks_with_room_are_no_finding() {
    assert_eq!(found(&host()), []);
}

#[test]
fn the_same_file_system_is_looked_at_once_and_images_never() {
    let points: Vec<_> = disks(&host(), &stack()).into_iter().map(|d| (d.mount.point, d.matters)).collect();
    let expected = [("/", true), ("/tmp", true), ("/data", true), ("/backup", false)];
    assert_eq!(points, expected.map(|(point, matters)| (point.to_owned(), matters)));
}

#[test]
fn a_full_disk_counts_where_the_database_is_and_is_worth_knowing_elsewhere() {
    let full = host().filesystem_at("/data", room(20 * GB, 100 * MB));
    assert_eq!(found(&full), [(Severity::Critical, "/data has 100 MB left (0 %)".to_owned())]);
    let backup = host().filesystem_at("/backup", room(20 * GB, 100 * MB));
    assert_eq!(found(&backup), [(Severity::Info, "/backup has 100 MB left (0 %)".to_owned())]);
}

#[test]
fn what_the_manifest_says_is_a_share_alone_and_moves_nothing_else() {
    let free_of_big = room(1_000 * GB, 150 * GB);
    let of = |threshold, value, room: &Filesystem| {
        let thresholds = Thresholds::default().with(threshold, value);
        (judge_space(room, &thresholds), judge_inodes(room, &thresholds))
    };
    let (warning, critical) = (Some(Severity::Warning), Some(Severity::Critical));
    assert_eq!(of(Threshold::DiskLow, 16, &free_of_big), (warning, None));
    assert_eq!(of(Threshold::DiskLow, 15, &free_of_big), (None, None));
    assert_eq!(of(Threshold::DiskFull, 16, &free_of_big), (critical, None));
    assert_eq!(of(Threshold::DiskFull, 15, &free_of_big), (None, None));
    // Less than usual makes it quieter.
    let small = room(20 * GB, GB);
    assert_eq!(judge_space(&small, &Thresholds::default()), warning);
    assert_eq!(of(Threshold::DiskLow, 5, &small), (None, None));
    let inodes = Filesystem { inodes: 10_000_000, inodes_free: 900_000, ..room(100 * GB, 90 * GB) };
    assert_eq!(judge_inodes(&inodes, &Thresholds::default()), None);
    assert_eq!(of(Threshold::InodesLow, 10, &inodes), (None, warning));
    assert_eq!(of(Threshold::InodesLow, 9, &inodes), (None, None));
    let none_left = Filesystem { inodes_free: 99_999, ..inodes };
    assert_eq!(of(Threshold::InodesLow, 9, &none_left), (None, critical));
}

#[test]
fn shares_and_amounts_count_within_sight_of_each_other() {
    let judged = |size, free| judge_space(&room(size, free), &Thresholds::default());
    // An ordinary small disk.
    assert_eq!(judged(20 * GB, 2 * GB), None);
    assert_eq!(judged(20 * GB, 2 * GB - 1), Some(Severity::Warning));
    assert_eq!(judged(20 * GB, 600 * MB), Some(Severity::Warning));
    assert_eq!(judged(20 * GB, 600 * MB - 1), Some(Severity::Critical));
    assert_eq!(judged(20 * GB, 500 * MB - 1), Some(Severity::Critical));
    // A large one.
    assert_eq!(judged(4_000 * GB, 100 * GB), None);
    assert_eq!(judged(4_000 * GB, 50 * GB - 1), Some(Severity::Warning));
    assert_eq!(judged(4_000 * GB, 10 * GB - 1), Some(Severity::Critical));
    // A card.
    assert_eq!(judged(4 * GB, GB), None);
    assert_eq!(judged(4 * GB, GB - 1), Some(Severity::Warning));
    assert_eq!(judged(4 * GB, 400 * MB), Some(Severity::Warning));
    assert_eq!(judged(4 * GB, 400 * MB - 1), Some(Severity::Critical));
    // A small volume.
    assert_eq!(judged(100 * MB, 25 * MB), None);
    assert_eq!(judged(100 * MB, 0), Some(Severity::Critical));
}

#[test]
fn inodes_have_two_steps_and_need_to_be_counted() {
    let judged = |inodes, inodes_free| {
        judge_inodes(&Filesystem { inodes, inodes_free, ..room(1, 1) }, &Thresholds::default())
    };
    assert_eq!(judged(0, 0), None);
    assert_eq!(judged(1_000, 100), None);
    assert_eq!(judged(1_000, 99), Some(Severity::Warning));
    assert_eq!(judged(1_000, 30), Some(Severity::Warning));
    assert_eq!(judged(1_000, 29), Some(Severity::Critical));
    assert_eq!(judged(100_000_000, 500_000), None);
    assert_eq!(judged(100_000_000, 499_999), Some(Severity::Warning));
    let full =
        host().filesystem_at("/", Filesystem { inodes: 1_000, inodes_free: 3, ..room(20 * GB, 9 * GB) });
    assert_eq!(found(&full), [(Severity::Critical, "/ has 3 inodes left (0 %)".to_owned())]);
}

#[test]
fn a_full_temporary_file_system_is_a_finding_of_its_own() {
    let with = |free| found(&host().filesystem_at("/tmp", room(100 * MB, free)));
    let sentence = || "/tmp is full: uploads and sessions fail".to_owned();
    assert_eq!(with(5 * MB), []);
    assert_eq!(with(5 * MB - 1), [(Severity::Warning, sentence())]);
    assert_eq!(with(0), [(Severity::Critical, sentence())]);
}

#[test]
fn what_the_kernel_made_read_only_is_told_from_what_was_mounted_so() {
    let with = |line: &str| {
        let line = format!("30 27 254:16 / /data {line}\n");
        let mountinfo = MOUNTINFO.replace("30 27 254:16 / /data rw - ext4 /dev/vdb rw\n", &line);
        host().file_from(0, "/proc/self/mountinfo", Ok(mountinfo.as_bytes()))
    };
    let readonly = || vec![(Severity::Critical, "/data can no longer be written to".to_owned())];
    assert_eq!(found(&with("rw - ext4 /dev/vdb ro")), readonly());
    assert_eq!(found(&with("ro - ext4 /dev/vdb ro")), [], "it may have been meant so");
    let fstab = with("ro - ext4 /dev/vdb ro").file("/etc/fstab", "/dev/vdb /data ext4 defaults 0 2\n");
    assert_eq!(found(&fstab), readonly());
    let meant = with("ro - ext4 /dev/vdb ro").file("/etc/fstab", "/dev/vdb /data ext4 noatime,ro 0 2\n");
    assert_eq!(found(&meant), []);
}

#[test]
fn only_young_errors_of_a_file_system_are_news() {
    let with = |last: u64| {
        host()
            .file("/sys/fs/ext4/features/lazy_itable_init", "supported\n")
            .file("/sys/fs/ext4/vda1/errors_count", "2\n")
            .file("/sys/fs/ext4/vda1/last_error_time", format!("{last}\n"))
    };
    let now = host().clock;
    assert_eq!(found(&with(now - NEWS)), []);
    let young = (Severity::Warning, "2 file system errors on vda1".to_owned());
    assert_eq!(found(&with(now - NEWS + 1)), [young]);
    assert_eq!(found(&with(now).file_from(0, "/sys/fs/ext4/vda1/errors_count", Ok(b"0\n"))), []);
}

#[test]
fn a_stall_must_have_lasted_and_names_the_busiest_disk() {
    let with = |avg60: &str, avg300: &str| {
        let full = format!(
            "some avg10=9.00 avg60=9.00 avg300=9.00 total=9\nfull avg10=0.00 avg60={avg60} avg300={avg300} total=9\n"
        );
        let row = |ms| format!(" 254 0 vda 9 9 9 9 9 9 9 9 0 {ms} 9\n 254 16 vdb 9 9 9 9 9 9 9 9 0 50 9\n");
        host()
            .file_from(0, "/proc/pressure/io", Ok(full.as_bytes()))
            .file("/proc/diskstats", row(100))
            .file_from(1_000, "/proc/diskstats", Ok(row(900).as_bytes()))
    };
    assert_eq!(found(&with("20.00", "50.00")), []);
    assert_eq!(found(&with("20.01", "12.60")), [], "a stall of a minute");
    let stalled = with("20.01", "12.61");
    let sentence = "The disk is the bottleneck: 20 % of the time everything waits for it".to_owned();
    assert_eq!(found(&stalled), [(Severity::Warning, sentence.clone())]);
    let own = |wait: &str| {
        let line = format!("some avg10=0.00 avg60={wait} avg300=0.00 total=0\n");
        with("20.01", "12.61")
            .file_from(
                0,
                "/proc/self/mountinfo",
                Ok(b"31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"),
            )
            .file("/sys/fs/cgroup/system.slice/mariadb.service/io.pressure", line)
    };
    assert_eq!(found(&own("5.01")), [(Severity::Warning, sentence.clone())]);
    assert_eq!(found(&own("5.00")), [(Severity::Info, sentence)]);
    let rows = [("vda".to_owned(), 100), ("vdb".to_owned(), 50)];
    assert_eq!(busiest(&rows, &[("vda".to_owned(), 120), ("vdb".to_owned(), 90)]), Some("vdb"));
    assert_eq!(busiest(&rows, &rows), None);
}

#[test]
fn what_cannot_be_looked_at_is_said() {
    let mut notes = Notes::default();
    check(&FakeHost::default(), &stack(), &mut notes);
    let details: Vec<_> = notes.what_was_not_checked().iter().map(|skip| skip.detail.as_str()).collect();
    assert_eq!(details, ["/proc/self/mountinfo", "/proc/pressure/io"]);
    assert!(notes.what_was_checked().is_empty());
}

#[test]
fn this_machines_disks_are_read() {
    let disks = disks(&ThisHost, &Stack::default());
    assert!(disks.iter().any(|disk| disk.matters && disk.mount.point == "/"));
    let stats = busy(&std::fs::read("/proc/diskstats").unwrap_or_default());
    assert!(stats.iter().all(|(name, _)| !name.is_empty()));
}

#[test]
fn a_longer_line_of_a_newer_kernel_is_read_alike() {
    let old = b"   8       0 sda 1 2 3 4 5 6 7 8 9 1234 11\n";
    let new = b"   8       0 sda 1 2 3 4 5 6 7 8 9 1234 11 12 13 14 15 16 17\n";
    assert_eq!(busy(old), [("sda".to_owned(), 1234)]);
    assert_eq!(busy(old), busy(new));
    assert_eq!(busy(b"   8 1 sda1 1 2 3 4\n"), []);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _read = busy(&bytes);
    }
}
