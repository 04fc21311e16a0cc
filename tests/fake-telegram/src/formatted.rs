//! A text and its formatted pieces, measured in UTF-16 code units as everything in the Bot API. Pure.

use serde::{Deserialize, Serialize};

/// The longest text of a message, in UTF-16 code units after parsing.
pub const MAX_TEXT: usize = 4096;

/// A formatted piece of a text, as `MessageEntity` of the Bot API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entity {
    /// `bold`, `code`, `text_link`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Start, in UTF-16 code units.
    pub offset: usize,
    /// Length, in UTF-16 code units.
    pub length: usize,
    /// Only for `text_link`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Only for `pre`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Only for `custom_emoji`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_emoji_id: Option<String>,
}

/// A text without its markup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Formatted {
    /// What the reader sees.
    pub(crate) text: String,
    /// Sorted by offset; an outer entity comes before the inner ones.
    pub(crate) entities: Vec<Entity>,
}

/// A text without `parse_mode`: only the white space around it goes.
pub(crate) fn plain(source: &str) -> Formatted {
    trim(source, Vec::new())
}

/// The length that limits are about.
pub(crate) fn utf16_len(text: &str) -> usize {
    text.encode_utf16().count()
}

/// `<pre><code class="language-x">` is one entity with a language; a language on a lone `code` is dropped.
pub(crate) fn merge_pre_and_code(entities: &mut Vec<Entity>) {
    let mut merged: Vec<Entity> = Vec::with_capacity(entities.len());
    for mut entity in entities.drain(..) {
        let same = |other: &Entity| (other.offset, other.length) == (entity.offset, entity.length);
        let is_pair = |kind: &str| matches!((kind, entity.kind.as_str()), ("pre", "code") | ("code", "pre"));
        match merged.last_mut().filter(|last| same(last) && is_pair(&last.kind)) {
            Some(last) => {
                "pre".clone_into(&mut last.kind);
                last.language = last.language.take().or(entity.language.take());
            }
            None => merged.push(entity),
        }
    }
    for entity in merged.iter_mut().filter(|entity| entity.kind == "code") {
        entity.language = None;
    }
    *entities = merged;
}

/// Drops the white space around the text and moves the entities along; what becomes empty goes.
pub(crate) fn trim(text: &str, entities: Vec<Entity>) -> Formatted {
    let kept = text.trim();
    let lead = utf16_len(text.get(..text.len() - text.trim_start().len()).unwrap_or_default());
    let total = utf16_len(kept);
    let entities = entities
        .into_iter()
        .filter_map(|mut entity| {
            let start = entity.offset.saturating_sub(lead).min(total);
            let end = (entity.offset + entity.length).saturating_sub(lead).min(total);
            entity.offset = start;
            entity.length = end.checked_sub(start).filter(|length| *length > 0)?;
            Some(entity)
        })
        .collect();
    Formatted { text: kept.to_owned(), entities }
}
