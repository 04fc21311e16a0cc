//! What an operator is told: parts of text, rendered as Telegram's HTML or as plain text.

use serde::{Deserialize, Serialize};

use crate::approval::Rejected;

/// Telegram takes 4096 UTF-16 code units after entity parsing; the rest is room for marks.
const UNITS_MAX: usize = 3900;

/// A message to an operator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    parts: Vec<Part>,
    /// A line that a button copies to the clipboard.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    copy: Option<String>,
}

/// A piece of text and how it looks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Part {
    /// As it is.
    Text(String),
    /// Stands out.
    Bold(String),
    /// An id or a value.
    Code(String),
    /// A line to tap and copy.
    Block(String),
}

impl Reply {
    /// An empty message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds text as it is.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.parts.push(Part::Text(text.into()));
        self
    }

    /// Adds text that stands out.
    pub fn bold(mut self, text: impl Into<String>) -> Self {
        self.parts.push(Part::Bold(text.into()));
        self
    }

    /// Adds an id or a value.
    pub fn code(mut self, text: impl Into<String>) -> Self {
        self.parts.push(Part::Code(text.into()));
        self
    }

    /// Adds a line to tap and copy, and a button that copies it.
    pub fn block(mut self, line: impl Into<String>) -> Self {
        let line = line.into();
        self.parts.push(Part::Block(line.clone()));
        self.copy = Some(line);
        self
    }

    /// Adds a sentence on a line of its own.
    pub fn note(&mut self, sentence: &str) {
        self.parts.push(Part::Text(format!("\n{sentence}")));
    }

    /// A rejection, and whether it could be written to the audit log.
    pub fn rejected(rejected: &Rejected, audited: bool) -> Self {
        let mut reply = Self::new().bold("✗ rejected");
        if let (Some(action), Some(client)) = (rejected.action, &rejected.client) {
            reply = reply.text(format!(" {client} {action}"));
        }
        reply = reply.text(format!(": {}", rejected.reason.explain()));
        if !audited {
            reply.note("The audit log can't be written; this rejection is not in it.");
        }
        reply
    }

    /// The line that the copy button copies.
    pub fn copy_line(&self) -> Option<&str> {
        self.copy.as_deref()
    }

    /// Telegram's HTML, cut to what Telegram takes.
    pub fn html(&self) -> String {
        let mut out = String::new();
        let mut left = UNITS_MAX;
        for part in &self.parts {
            let (open, text, close) = match part {
                Part::Text(text) => ("", text, ""),
                Part::Bold(text) => ("<b>", text, "</b>"),
                Part::Code(text) => ("<code>", text, "</code>"),
                Part::Block(text) => ("\n<pre>", text, "</pre>"),
            };
            let cut = cut(text, left);
            left = left.saturating_sub(cut.encode_utf16().count());
            out.push_str(open);
            escape(cut, &mut out);
            out.push_str(close);
            if cut.len() < text.len() {
                out.push('…');
                break;
            }
        }
        out
    }

    /// The same without marks.
    pub fn plain(&self) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) | Part::Bold(text) | Part::Code(text) => out.push_str(text),
                Part::Block(text) => {
                    out.push('\n');
                    out.push_str(text);
                }
            }
        }
        out
    }

    /// As it is kept in the outbox.
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// From the outbox.
    pub fn from_json(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// The longest prefix of at most `units` UTF-16 code units.
fn cut(text: &str, units: usize) -> &str {
    let mut used = 0_usize;
    for (at, c) in text.char_indices() {
        used = used.saturating_add(c.len_utf16());
        if used > units {
            return text.get(..at).unwrap_or_default();
        }
    }
    text
}

/// The three characters that Telegram's HTML gives a meaning; control characters have no business in a chat.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_escaped_and_plain_text_is_not() {
        let reply = Reply::new().bold("a<b").text(" & \u{7}").code("x>y");
        assert_eq!(reply.html(), "<b>a&lt;b</b> &amp; \u{fffd}<code>x&gt;y</code>");
        assert_eq!(reply.plain(), "a<b & \u{7}x>y");
    }

    #[test]
    fn a_message_never_exceeds_what_telegram_takes() {
        for text in ["é".repeat(5000), "😀".repeat(5000), "&".repeat(5000)] {
            let html = Reply::new().text("start ").bold(text).text("end").html();
            let shown = html.replace("<b>", "").replace("</b>", "").replace("&amp;", "&");
            assert!(shown.encode_utf16().count() <= 4096, "{}", shown.len());
            assert!(html.ends_with("</b>…"));
        }
    }

    #[test]
    fn the_outbox_keeps_a_reply_as_it_is() {
        let reply = Reply::new().text("a").block("APPROVE: x");
        assert_eq!(Reply::from_json(&reply.to_json()), Some(reply.clone()));
        assert_eq!(reply.copy_line(), Some("APPROVE: x"));
    }
}
