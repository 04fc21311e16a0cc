//! Why a line is a break, as a type and as the words that a person reads.
//!
//! Text that comes from the log is shortened and escaped before it gets here, so that a record can't
//! write to the terminal of whoever verifies it.

use std::fmt;

/// One fault of one line. The first words of its text are stable.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Reason {
    /// A byte order mark before the record.
    ByteOrderMark,
    /// The line ends with CR LF.
    CarriageReturn,
    /// Nothing, or only white space.
    EmptyLine,
    /// Longer than a line may be.
    TooLong { limit: usize },
    /// Bytes that are no text.
    NotUtf8,
    /// No JSON object.
    NotJson { at: usize, why: &'static str },
    /// Only NUL bytes: what some file systems leave after a power failure.
    NulBytes,
    /// The last line, without the newline that ends a record.
    NoNewline,
    /// The last line, which stops in the middle of a record.
    CutShort,
    /// The same key twice in one object.
    DuplicateKey { key: String },
    /// A record without one of its two hashes.
    MissingHash { field: &'static str },
    /// A hash field that is not 64 lower-case hex digits.
    BadHash { field: &'static str },
    /// The hash doesn't hold over the record.
    ContentChanged,
    /// The hash holds with the true predecessor instead of the `prev_hash` that the line states.
    PrevHashReplaced,
    /// The next line links to the hash that this record really has.
    RecordHashReplaced,
    /// Neither does the hash hold, nor does the record follow the line before.
    ContentChangedAndUnlinked,
    /// A sound record in a layout that the others don't have.
    NotCanonical,
    /// The first line links to a record that isn't there.
    HeadCut { missing: Option<u64> },
    /// Sequence numbers are left out.
    MissingLines { first: u64, last: u64 },
    /// This line and another stand in each other's place.
    Swapped { with: u64 },
    /// Stands elsewhere than its links say; `after` is the line it belongs after, 0 for the start.
    OutOfOrder { after: u64 },
    /// The record of an earlier line once more.
    Duplicated { of: u64, through: u64 },
    /// Records between two lines that link to each other.
    Inserted { through: u64 },
    /// A `prev_hash` of `""` that isn't on the first line.
    SecondChain { through: Option<u64> },
    /// A whole second chain, from its first record.
    JoinedWhole,
    /// A part of another chain.
    JoinedPart,
    /// Also follows a record that already has a successor.
    Forked { from: u64 },
    /// The numbers fit, the hashes don't: one of two neighbours was resealed.
    Resealed,
    /// The hashes don't fit, and there are no sequence numbers to say more.
    Unlinked,
    /// A record that had to be in the chain isn't.
    CheckpointMissing { hash: String },
    /// Stands for the breaks that were counted but not kept.
    NotListed { count: u64 },
}

impl Reason {
    /// Whether a line with this fault may be what an interrupted write left.
    pub const fn is_torn(&self) -> bool {
        matches!(
            self,
            Self::NotJson { .. }
                | Self::NulBytes
                | Self::NoNewline
                | Self::CutShort
                | Self::NotUtf8
                | Self::EmptyLine
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByteOrderMark => f.write_str("byte order mark before the record"),
            Self::CarriageReturn => {
                f.write_str("CRLF: the line ends with a carriage return before its newline")
            }
            Self::EmptyLine => f.write_str("empty line"),
            Self::TooLong { limit } => write!(f, "line too long: over {limit} bytes"),
            Self::NotUtf8 => f.write_str("not JSON: not UTF-8"),
            Self::NotJson { at, why } => write!(f, "not JSON: {why} at byte {at}"),
            Self::NulBytes => f.write_str("not JSON: only NUL bytes, as a power failure can leave them"),
            Self::NoNewline => f.write_str("torn last line: no newline at its end"),
            Self::CutShort => f.write_str("torn last line: it stops in the middle of a record"),
            Self::DuplicateKey { key } => write!(f, "duplicate key \"{key}\""),
            Self::MissingHash { field } => write!(f, "missing {field}"),
            Self::BadHash { field } => write!(f, "{field} is not 64 lower-case hex digits"),
            Self::NotCanonical => {
                f.write_str("not canonical while other lines are: edited without a change of content")
            }
            Self::CheckpointMissing { hash } => {
                write!(
                    f,
                    "checkpoint missing: no record has the hash {hash}; the tail was cut or this is another chain"
                )
            }
            Self::NotListed { count } => write!(f, "{count} more breaks, counted but not listed"),
            Self::ContentChanged
            | Self::PrevHashReplaced
            | Self::RecordHashReplaced
            | Self::ContentChangedAndUnlinked => self.content(f),
            _ => self.link(f),
        }
    }
}

impl Reason {
    fn content(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PrevHashReplaced => {
                "record_hash does not match: prev_hash was changed; the record was sealed onto the line before"
            }
            Self::RecordHashReplaced => {
                "record_hash does not match: it was changed itself; the next line has the true one"
            }
            Self::ContentChangedAndUnlinked => {
                "record_hash does not match: the content was changed, and prev_hash is not that of the line before"
            }
            _ => "record_hash does not match: the content was changed",
        })
    }

    fn link(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeadCut { missing: None } => {
                f.write_str("head cut: the first line does not start a chain, its prev_hash names a record that is not there")
            }
            Self::HeadCut { missing: Some(count) } => {
                write!(f, "head cut: the first line does not start a chain, {} missing before it", lines(*count))
            }
            Self::MissingLines { first, last } if first == last => {
                write!(f, "missing line: the record with seq {first} is missing before this one")
            }
            Self::MissingLines { first, last } => {
                write!(f, "missing lines: the records with seq {first} to {last} are missing before this one")
            }
            Self::Swapped { with } => write!(f, "swapped with line {with}"),
            Self::OutOfOrder { after: 0 } => f.write_str("out of order: belongs at the start"),
            Self::OutOfOrder { after } => write!(f, "out of order: belongs after line {after}"),
            Self::Duplicated { of, through } => {
                write!(f, "duplicated: the record of line {of} once more")?;
                through_line(f, Some(*through))
            }
            Self::Inserted { through } => {
                f.write_str("inserted: does not belong here, the records before and after it follow each other")?;
                through_line(f, Some(*through))
            }
            Self::SecondChain { through } => {
                f.write_str("second chain started in the middle: prev_hash is empty")?;
                through_line(f, *through)
            }
            Self::JoinedWhole => {
                f.write_str("two chains joined: a second chain starts here with seq 1 and an empty prev_hash")
            }
            Self::JoinedPart => {
                f.write_str("two chains joined: this record's seq and prev_hash belong to another chain")
            }
            Self::Forked { from } => {
                write!(f, "forked: links to line {from}, which already has a successor")
            }
            Self::Resealed => f.write_str(
                "prev_hash does not match the line before: that line was replaced and resealed, or this one was",
            ),
            _ => f.write_str(
                "prev_hash does not match the line before: lines are missing between, or one of both was resealed",
            ),
        }
    }
}

fn lines(count: u64) -> String {
    if count == 1 { "1 line is".to_owned() } else { format!("{count} lines are") }
}

/// Says where a run of lines ends that has this fault as a whole; nothing for a single line (0).
fn through_line(f: &mut fmt::Formatter<'_>, through: Option<u64>) -> fmt::Result {
    match through {
        None | Some(0) => Ok(()),
        Some(line) => write!(f, " (through line {line})"),
    }
}

/// `text` as it may be shown: control characters escaped, at most 64 characters.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(64).flat_map(char::escape_debug).collect();
    if text.chars().nth(64).is_some() {
        shown.push('…');
    }
    shown
}
