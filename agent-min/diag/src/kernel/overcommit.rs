//! Whether PHP's and the database's limits promise more memory than there is: `mem-overcommit`.

use secmon_wire::diag::{FactName, Facts, Finding, FindingId, Severity};

use super::FILE_MAX;
use super::memory::{Memory, meminfo};
use super::processes::Worker;
use crate::Notes;
use crate::host::Host;
use crate::stack::{Pool, Stack};

/// What the rest of a small host takes.
const REST: u64 = 300_000_000;

/// Judges the limits, if any worker runs to tell how large one is.
pub(super) fn check(host: &dyn Host, stack: &Stack, workers: &[Worker], notes: &mut Notes) {
    let memory = host.read("/proc/meminfo", FILE_MAX).ok().and_then(|bytes| meminfo(&bytes));
    let Some(memory) = memory else { return };
    let databases = stack.databases.iter().map(|database| database.buffer_pool);
    let buffers = databases.fold(0_u64, u64::saturating_add);
    if let Some(finding) = judge(&stack.pools, workers, buffers, &memory) {
        notes.found(finding);
    }
}

fn judge(pools: &[Pool], workers: &[Worker], buffers: u64, memory: &Memory) -> Option<Finding> {
    let mut largest: Option<(&Pool, u64)> = None;
    let mut php = 0_u64;
    for pool in pools {
        let Some(worker) = median(workers.iter().filter(|worker| worker.pool == pool.name)) else { continue };
        let most = pool.max_children.saturating_mul(worker);
        php = php.saturating_add(most);
        if largest.is_none_or(|(other, size)| most > other.max_children.saturating_mul(size)) {
            largest = Some((pool, worker));
        }
    }
    let (pool, worker) = largest?;
    let needed = php.saturating_add(buffers).saturating_add(REST);
    let room = memory.total.saturating_add(memory.swap / 2);
    if needed <= room {
        return None;
    }
    // What the largest pool could have if all others kept theirs; one worker at least.
    let others = needed.saturating_sub(pool.max_children.saturating_mul(worker));
    let limit = room.saturating_sub(others).checked_div(worker).unwrap_or(0).max(1);
    let facts = Facts::new()
        .number(FactName::Needed, needed)
        .number(FactName::Size, memory.total)
        .number(FactName::Limit, limit)
        .text(FactName::Name, &pool.name);
    Some(Finding::new(FindingId::MemOvercommit, Severity::Warning).with(facts))
}

fn median<'w>(workers: impl Iterator<Item = &'w Worker>) -> Option<u64> {
    let mut sizes: Vec<u64> = workers.map(|worker| worker.anonymous).filter(|size| *size > 0).collect();
    sizes.sort_unstable();
    sizes.get(sizes.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Endpoint;

    const MB: u64 = 1_000_000;

    fn pool(name: &str, max_children: u64) -> Pool {
        Pool {
            name: name.to_owned(),
            version: "8.2".to_owned(),
            unit: "php8.2-fpm".to_owned(),
            listen: Endpoint::Unix("/run/php/php8.2-fpm.sock".to_owned()),
            status_listen: None,
            status_path: None,
            max_children,
            error_logs: Vec::new(),
        }
    }

    fn workers(pool: &str, sizes: &[u64]) -> Vec<Worker> {
        let worker = |size: &u64| Worker { pid: 1, pool: pool.to_owned(), uid: 33, anonymous: size * MB };
        sizes.iter().map(worker).collect()
    }

    fn memory(total: u64, swap: u64) -> Memory {
        Memory { total: total * MB, available: total * MB, swap: swap * MB, swap_free: swap * MB }
    }

    #[test]
    fn the_limits_may_promise_what_there_is_with_half_of_the_swap_and_no_more() {
        let workers = workers("www", &[10, 50, 500]);
        // 25 × 50 + 128 + 300 = 1678 MB.
        let fits = judge(&[pool("www", 25)], &workers, 128 * MB, &memory(1_578, 200));
        assert_eq!(fits, None);
        let finding = judge(&[pool("www", 25)], &workers, 128 * MB, &memory(1_577, 200)).expect("too much");
        assert_eq!(finding.facts.get_number(FactName::Needed), Some(1_678 * MB));
        assert_eq!(finding.facts.get_number(FactName::Limit), Some(24));
    }

    #[test]
    fn the_largest_pool_is_to_be_made_smaller() {
        let mut both = workers("www", &[50]);
        both.extend(workers("shop", &[100]));
        let finding =
            judge(&[pool("www", 5), pool("shop", 20)], &both, 0, &memory(1_000, 0)).expect("too much");
        assert_eq!(
            finding.to_string(),
            "PHP and the database may use 2.5 GB of 1.0 GB: lower pm.max_children to 4"
        );
        let tiny = judge(&[pool("shop", 20)], &both, 4_000 * MB, &memory(1_000, 0)).expect("too much");
        assert_eq!(tiny.facts.get_number(FactName::Limit), Some(1));
    }

    #[test]
    fn without_a_worker_to_measure_nothing_is_said() {
        assert_eq!(judge(&[pool("www", 500)], &[], 0, &memory(100, 0)), None);
        assert_eq!(judge(&[pool("www", 500)], &workers("www", &[0]), 0, &memory(100, 0)), None);
        assert_eq!(judge(&[], &workers("www", &[50]), 0, &memory(100, 0)), None);
    }
}
