//! Every check of a run, with the areas that it belongs to and what it looks at.

use secmon_diag::host::Host;
use secmon_diag::stack::Stack;
use secmon_diag::{Notes, errors, flood, kernel, probe};
use secmon_wire::Area::{self, Db, Disk, Flood, Http, Net, Php, System, Tls, Web};
use secmon_wire::diag::Check;

use super::pool::Task;

const fn task(
    areas: &'static [Area],
    what: &'static [Check],
    check: fn(&dyn Host, &Stack, &mut Notes),
) -> Task {
    Task { areas, what, check }
}

/// All of them, those that wait longest first.
pub(super) const TASKS: &[Task] = &[
    task(&[Net], &[Check::Dns], probe::names::check),
    task(&[Php], &[Check::PhpStatus], probe::fpm::check),
    task(&[Web, Php], &[Check::Listeners], kernel::queues),
    task(&[Flood, Http, Php, Web], &[Check::AccessLog], |host, stack, notes| {
        flood::check(host, stack, &flood::impact(host, stack), notes);
    }),
    task(&[System], &[Check::Memory, Check::Cpu, Check::Processes, Check::Packages], kernel::system),
    task(&[Web], &[Check::Listeners], kernel::web),
    task(&[Php], &[Check::PhpSocket], kernel::php_sockets),
    task(&[Http], &[Check::Origin], probe::origin::check),
    task(&[Db], &[Check::DbSocket, Check::DbStatus], probe::databases::check),
    task(&[Http, Tls], &[Check::Edge], probe::edge::check),
    task(&[Tls], &[Check::Certificates], probe::certificates::check),
    task(&[System, Db], &[Check::Units], kernel::units),
    task(&[Net], &[Check::Network], |host, _, notes| kernel::network(host, notes)),
    task(&[Web, Net, Php, Flood], &[Check::Connections], kernel::connections),
    task(
        &[Web, Php, Db, Tls, Http, System],
        &[Check::WebErrorLog, Check::PhpErrorLog, Check::DbErrorLog, Check::AcmeRenewal],
        errors::check,
    ),
    task(&[Disk], &[Check::Filesystems], kernel::disk),
    task(&[Http, Php], &[], kernel::site_files),
    task(&[Net], &[Check::Clock], |host, _, notes| probe::clock::check(host, notes)),
    task(&[Db, Disk, Flood, Http, Net, Php, System, Tls, Web], &[Check::Kernel], kernel::sample),
];
