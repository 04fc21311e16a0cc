//! What the manifest says of how to look, put over what was found: which sites may be asked, which logs are read, which
//! thresholds are moved. It adds nothing to look at but the sites and logs that it names.

use std::net::Ipv4Addr;

use secmon_wire::{THRESHOLDS, Threshold, Tuning};

use crate::discover::OF_ONE_MAX;
use crate::stack::{AccessLog, Listen, Site, Stack};

/// The thresholds that the manifest moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Thresholds([Option<u32>; THRESHOLDS.len()]);

impl Thresholds {
    /// What the manifest says; `None` leaves the check to its own judgement.
    pub fn given(&self, threshold: Threshold) -> Option<u64> {
        self.0.get(threshold as usize).copied().flatten().map(u64::from)
    }

    /// What the manifest says, or what is usual.
    pub fn of(&self, threshold: Threshold) -> u64 {
        self.given(threshold).unwrap_or(u64::from(threshold.row().usual))
    }

    /// With one more that is moved.
    #[must_use]
    pub fn with(mut self, threshold: Threshold, value: u32) -> Self {
        if let Some(slot) = self.0.get_mut(threshold as usize) {
            *slot = Some(value);
        }
        self
    }
}

/// Narrows what was found.
pub fn apply(stack: &mut Stack, tuning: &Tuning) {
    let none = Thresholds::default();
    stack.thresholds = tuning.thresholds().fold(none, |all, (threshold, value)| all.with(threshold, value));
    stack.hosts = tuning.hosts().map(str::to_owned).collect();
    for at in 0..stack.hosts.len() {
        if let Some(host) = stack.hosts.get(at).cloned() {
            name_site(stack, host);
        }
    }
    keep_access_logs(stack, &tuning.access_logs().collect::<Vec<_>>());
    keep_error_logs(stack, &tuning.error_logs().collect::<Vec<_>>());
}

/// Makes `host` the name that its site is asked by. A site that is asked by another listed name already is listed once
/// more; one that nobody found is asked for where web servers listen.
fn name_site(stack: &mut Stack, host: String) {
    let taken = |name: &String| *name != host && stack.hosts.contains(name);
    let at = stack.sites.iter().position(|site| site.names.contains(&host));
    let free =
        at.filter(|at| !stack.sites.get(*at).is_some_and(|site| site.names.first().is_some_and(taken)));
    if let Some(site) = free.and_then(|at| stack.sites.get_mut(at)) {
        site.names.retain(|name| *name != host);
        site.names.insert(0, host);
        return;
    }
    let nameless = || stack.sites.iter().find(|site| site.names.is_empty());
    let like = at.and_then(|at| stack.sites.get(at)).or_else(nameless);
    let (listens, certificates) = match like {
        Some(site) => (site.listens.clone(), site.certificates.clone()),
        None => (all_listens(stack), Vec::new()),
    };
    stack.sites.push(Site { names: vec![host], listens, certificates, ..Site::default() });
}

fn all_listens(stack: &Stack) -> Vec<Listen> {
    let mut all: Vec<Listen> = Vec::new();
    for listen in stack.web.iter().flat_map(|web| &web.listens) {
        if all.len() < OF_ONE_MAX && !all.contains(listen) {
            all.push(*listen);
        }
    }
    if all.is_empty() {
        let listen = |port, tls| Listen { address: Ipv4Addr::UNSPECIFIED.into(), port, tls };
        all.extend([listen(80, false), listen(443, true)]);
    }
    all
}

/// A log that no site has is read as one in the web servers' usual format.
fn keep_access_logs(stack: &mut Stack, listed: &[&str]) {
    if listed.is_empty() {
        return;
    }
    for site in &mut stack.sites {
        site.access_log.take_if(|log| !listed.contains(&log.path.as_str()));
    }
    for path in listed {
        let is_known = |site: &Site| site.access_log.as_ref().is_some_and(|log| log.path == *path);
        if !stack.sites.iter().any(is_known) {
            let log = AccessLog { path: (*path).to_owned(), format: None };
            stack.sites.push(Site { access_log: Some(log), ..Site::default() });
        }
    }
}

fn keep_error_logs(stack: &mut Stack, listed: &[&str]) {
    if listed.is_empty() {
        return;
    }
    let is_listed = |path: &String| listed.contains(&path.as_str());
    let web = stack.web.iter_mut().map(|web| &mut web.error_logs);
    let mut known = Vec::new();
    for logs in web.chain(stack.pools.iter_mut().map(|pool| &mut pool.error_logs)) {
        logs.retain(is_listed);
        known.extend(logs.iter().cloned());
    }
    let more = listed.iter().filter(|path| !known.iter().any(|known| known == *path));
    stack.error_logs = more.map(|path| (*path).to_owned()).collect();
}

#[cfg(test)]
#[path = "tuning_tests.rs"]
mod tests;
