//! What a flood consists of: what a mitigation at the edge matches, and how sure the numbers are.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use heapless::{String, Vec};

use crate::WireError;
use crate::canonical::{Object, Writer};
use crate::limits::PATTERN_MAX;

use super::fact::{printable, read_printable};
use super::table::closed_list;

/// Sources in one flood: those with the largest guaranteed counts.
pub const FLOOD_SOURCES_MAX: usize = 32;

closed_list! {
    /// What of a request the pattern is about.
    PatternField {
        Path = "path",
        QueryKey = "query_key",
        UserAgent = "user_agent",
    }
}

/// What the requests have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// Where it stands.
    pub field: PatternField,
    /// The exact value. Printable ASCII without `"` and `\`, at most [`PATTERN_MAX`] bytes: a value that
    /// isn't, is no pattern.
    pub value: String<PATTERN_MAX>,
}

/// An address, or a network of them, that sent requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its first address.
    pub address: IpAddr,
    /// Bits of it that count: 24 or 32, 48, 64 or 128.
    pub bits: u8,
    /// Requests that it made at least: what was counted, less what it may have been counted too much.
    pub count: u32,
}

/// What was counted over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The last moment, by the log's own lines, in seconds since the epoch.
    pub end: u64,
    /// Its length.
    pub seconds: u32,
}

/// `{"count","end","error","pattern","seconds","sources":[["192.0.2.1/32",12],…],"spared"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flood {
    /// Requests that belong to it.
    pub count: u64,
    /// How much any source's count could have been too high before it was lowered: N/k of Space-Saving.
    pub error: u32,
    /// What they have in common, if it is one thing.
    pub pattern: Option<Pattern>,
    /// Who sent them, by falling count.
    pub sources: Vec<Source, FLOOD_SOURCES_MAX>,
    /// Requests like these that came from those who must never be blocked.
    pub spared: u64,
    /// Over what it was counted.
    pub window: Window,
}

impl Pattern {
    /// A pattern, if the value can be matched exactly.
    pub fn new(field: PatternField, value: &str) -> Option<Self> {
        let whole: String<PATTERN_MAX> = printable(value);
        (whole == value && !value.is_empty()).then_some(Self { field, value: whole })
    }
}

impl Source {
    fn read(value: crate::canonical::Value<'_>) -> Result<Self, WireError> {
        let bad = WireError::BadValue("sources");
        let mut parts = value.array("sources")?;
        let (Some(network), Some(count), None) = (parts.next(), parts.next(), parts.next()) else {
            return Err(bad);
        };
        let (address, bits) = network.plain("sources")?.split_once('/').ok_or(bad)?;
        let source = Self {
            address: address.parse().map_err(|_| bad)?,
            bits: bits.parse().ok().filter(|_| !bits.starts_with(['+', '0'])).ok_or(bad)?,
            count: u32::try_from(count.unsigned("sources")?).map_err(|_| bad)?,
        };
        let form = match source.address {
            IpAddr::V4(_) => [24, 32].as_slice(),
            IpAddr::V6(_) => &[48, 64, 128],
        };
        if form.contains(&source.bits) && source.network() == source.address { Ok(source) } else { Err(bad) }
    }

    /// The address without the bits that don't count.
    pub fn network(&self) -> IpAddr {
        let keep = u32::from(self.bits);
        match self.address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32_u32.saturating_sub(keep)).unwrap_or(0);
                Ipv4Addr::from_bits(v4.to_bits() & mask).into()
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128_u32.saturating_sub(keep)).unwrap_or(0);
                Ipv6Addr::from_bits(v6.to_bits() & mask).into()
            }
        }
    }
}

impl Flood {
    pub(super) fn read(object: Object<'_>) -> Result<Self, WireError> {
        let [count, end, error, pattern, seconds, listed, spared] =
            object.exact(["count", "end", "error", "pattern", "seconds", "sources", "spared"])?;
        let pattern = match pattern.is_null() {
            true => None,
            false => Some(Pattern::read(pattern.object("pattern")?)?),
        };
        let mut sources = Vec::new();
        for source in listed.array("sources")? {
            sources.push(Source::read(source)?).map_err(|_| WireError::BadValue("sources"))?;
        }
        let narrow = |value: u64, name| u32::try_from(value).map_err(|_| WireError::BadValue(name));
        Ok(Self {
            count: count.unsigned("count")?,
            error: narrow(error.unsigned("error")?, "error")?,
            pattern,
            sources,
            spared: spared.unsigned("spared")?,
            window: Window {
                end: end.unsigned("end")?,
                seconds: narrow(seconds.unsigned("seconds")?, "seconds")?,
            },
        })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        w.open(b'{');
        w.key("count");
        w.unsigned(self.count);
        w.key("end");
        w.unsigned(self.window.end);
        w.key("error");
        w.unsigned(u64::from(self.error));
        w.key("pattern");
        match &self.pattern {
            Some(pattern) => pattern.write(w),
            None => w.raw(b"null"),
        }
        w.key("seconds");
        w.unsigned(u64::from(self.window.seconds));
        w.key("sources");
        w.open(b'[');
        for source in &self.sources {
            let mut network = String::<48>::new();
            let fitted = core::fmt::write(&mut network, format_args!("{}/{}", source.address, source.bits));
            debug_assert!(fitted.is_ok(), "an address has at most 39 characters");
            w.open(b'[');
            w.text(&network);
            w.unsigned(u64::from(source.count));
            w.close(b']');
        }
        w.close(b']');
        w.key("spared");
        w.unsigned(self.spared);
        w.close(b'}');
    }
}

impl Pattern {
    fn read(object: Object<'_>) -> Result<Self, WireError> {
        let [field, value] = object.exact(["field", "value"])?;
        let field = PatternField::new(field.plain("field")?).ok_or(WireError::BadValue("field"))?;
        let value = read_printable(value.text("value")?, "value")?;
        if value.is_empty() { Err(WireError::BadValue("value")) } else { Ok(Self { field, value }) }
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.open(b'{');
        w.key("field");
        w.text(self.field.as_str());
        w.key("value");
        w.text(&self.value);
        w.close(b'}');
    }
}
