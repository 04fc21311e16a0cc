//! The part of the manifest that narrows the diagnostics or moves their thresholds.
//!
//! `{"access_logs":[…],"error_logs":[…],"hosts":[…],"thresholds":[["disk-low",20],…]}`, every list sorted and without
//! repetition. What is empty is left to discovery. A manifest that tunes nothing doesn't have the member at all, so
//! that one meaning has one form.
//!
//! It is kept as the bytes that were checked: whoever holds a [`Tuning`] holds nothing beyond grammar and ranges.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use heapless::Vec;

use crate::canonical::{Object, Value, Writer};
use crate::limits::{HOST_MAX, LOG_PATH_MAX, TUNED_HOSTS_MAX, TUNED_LOGS_MAX, TUNING_MAX};
use crate::{Threshold, WireError};

/// Directories whose files are no logs.
const NO_LOGS: [&str; 3] = ["/dev/", "/proc/", "/sys/"];
const NAMES: [&str; 4] = ["access_logs", "error_logs", "hosts", "thresholds"];

/// What the diagnostics are told; the default leaves everything to discovery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tuning {
    /// Canonical JSON, or nothing.
    bytes: Vec<u8, TUNING_MAX>,
}

impl Tuning {
    /// From sorted lists.
    pub fn new<T: AsRef<str>>(
        hosts: &[T],
        access_logs: &[T],
        error_logs: &[T],
        thresholds: &[(Threshold, u32)],
    ) -> Result<Self, WireError> {
        if hosts.is_empty() && access_logs.is_empty() && error_logs.is_empty() && thresholds.is_empty() {
            return Ok(Self::default());
        }
        let mut out = [0; TUNING_MAX];
        let mut w = Writer::new(&mut out);
        w.open(b'{');
        for (name, list) in NAMES.into_iter().zip([access_logs, error_logs, hosts]) {
            w.key(name);
            w.open(b'[');
            list.iter().for_each(|text| w.text(text.as_ref()));
            w.close(b']');
        }
        w.key("thresholds");
        w.open(b'[');
        for (threshold, value) in thresholds {
            w.open(b'[');
            w.text(threshold.as_str());
            w.unsigned(u64::from(*value));
            w.close(b']');
        }
        w.close(b']');
        w.close(b'}');
        Self::read(w.finish().map_err(|_| WireError::TooLong { limit: TUNING_MAX })?)
    }

    /// Reads what [`Self::as_bytes`] gives.
    pub fn read(bytes: &[u8]) -> Result<Self, WireError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        Self::of(Object::parse(bytes, TUNING_MAX)?)
    }

    /// The member of a manifest.
    pub(crate) fn of(object: Object<'_>) -> Result<Self, WireError> {
        let [access_logs, error_logs, hosts, thresholds] = object.exact(NAMES)?;
        let mut entries = check_texts(access_logs, "access_logs", TUNED_LOGS_MAX, is_log_path)?;
        entries |= check_texts(error_logs, "error_logs", TUNED_LOGS_MAX, is_log_path)?;
        entries |= check_texts(hosts, "hosts", TUNED_HOSTS_MAX, is_host)?;
        entries |= check_thresholds(thresholds)?;
        if !entries {
            return Err(WireError::BadValue("tuning"));
        }
        let bytes = Vec::from_slice(object.bytes());
        Ok(Self { bytes: bytes.map_err(|_| WireError::TooLong { limit: TUNING_MAX })? })
    }

    /// The canonical form; empty if nothing is tuned.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether everything is left to discovery.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The only names of sites to ask for; none for all that are found.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.texts("hosts")
    }

    /// The only access logs to read; none for all that are found.
    pub fn access_logs(&self) -> impl Iterator<Item = &str> {
        self.texts("access_logs")
    }

    /// The only error logs of web servers and PHP to read; none for all that are found.
    pub fn error_logs(&self) -> impl Iterator<Item = &str> {
        self.texts("error_logs")
    }

    /// The directories of all these logs; one of several logs more than once.
    pub fn log_directories(&self) -> impl Iterator<Item = &str> {
        self.access_logs().chain(self.error_logs()).filter_map(directory)
    }

    /// The thresholds that are moved.
    pub fn thresholds(&self) -> impl Iterator<Item = (Threshold, u32)> {
        self.list("thresholds").filter_map(|value| threshold(value).ok())
    }

    fn texts(&self, name: &'static str) -> impl Iterator<Item = &str> {
        self.list(name).filter_map(move |value| value.plain(name).ok())
    }

    /// The elements of a list. They were checked when this was made.
    fn list(&self, name: &'static str) -> impl Iterator<Item = Value<'_>> {
        let object = Object::parse(&self.bytes, TUNING_MAX).ok();
        let value = object.and_then(|object| {
            object.members().flatten().find_map(|(key, value)| (key == name.as_bytes()).then_some(value))
        });
        value.and_then(|value| value.array(name).ok()).into_iter().flatten()
    }
}

/// Whether there is any, if all are as they should be.
fn check_texts(
    value: Value<'_>,
    name: &'static str,
    most: usize,
    is_one: fn(&str) -> bool,
) -> Result<bool, WireError> {
    let mut last = None;
    for (at, text) in value.array(name)?.enumerate() {
        let text = text.plain(name)?;
        if at >= most || !is_one(text) {
            return Err(WireError::BadValue(name));
        }
        if last >= Some(text) {
            return Err(WireError::Unsorted(name));
        }
        last = Some(text);
    }
    Ok(last.is_some())
}

fn check_thresholds(value: Value<'_>) -> Result<bool, WireError> {
    let mut last = None;
    for pair in value.array("thresholds")? {
        let (id, _) = threshold(pair)?;
        if last >= Some(id) {
            return Err(WireError::Unsorted("thresholds"));
        }
        last = Some(id);
    }
    Ok(last.is_some())
}

fn threshold(pair: Value<'_>) -> Result<(Threshold, u32), WireError> {
    let bad = || WireError::BadValue("thresholds");
    let mut pair = pair.array("thresholds")?;
    let (Some(id), Some(value), None) = (pair.next(), pair.next(), pair.next()) else { return Err(bad()) };
    let id = Threshold::new(id.plain("thresholds")?).ok_or_else(bad)?;
    let value = u32::try_from(value.unsigned("thresholds")?).map_err(|_| bad())?;
    if id.allows(value) { Ok((id, value)) } else { Err(bad()) }
}

/// Whether it is a name of a host in the DNS (RFC 1123, lower case): no address, no port, no wildcard.
pub fn is_host(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(is_inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let top = text.rsplit('.').next().unwrap_or_default();
    text.len() <= HOST_MAX
        && text.split('.').all(is_label)
        && top.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// Whether it is the path of a file in a directory that may be read for it: absolute, plain, not in the root itself.
pub fn is_log_path(text: &str) -> bool {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    let is_part = |part: &str| !matches!(part, "" | "." | "..");
    text.len() <= LOG_PATH_MAX
        && text.bytes().all(is_plain)
        && text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_part))
        && directory(text).is_some_and(|directory| !directory.is_empty())
        && !NO_LOGS.iter().any(|prefix| text.starts_with(prefix))
}

fn directory(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(directory, _)| directory)
}

#[cfg(test)]
#[path = "tuning_tests.rs"]
mod tests;
