//! What an operator is told: parts of text, rendered as Telegram's HTML or as plain text.

use serde::{Deserialize, Serialize};

use crate::approval::{Reason, Rejected};

/// Telegram takes 4096 UTF-16 code units after entity parsing; the rest is room for marks.
const UNITS_MAX: usize = 3900;
/// Bytes that a button can carry.
const COMMAND_MAX: usize = 64;

/// A message to an operator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    parts: Vec<Part>,
    /// A line that a button copies to the clipboard.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    copy: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    buttons: Vec<Button>,
    /// Of several replies with the same number each takes the place of the one before, where a transport can change
    /// what it has sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    place: Option<u64>,
}

/// A button that sends a command as if its reader had typed it. It can ask for everything that a typed command can,
/// and approve nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// What stands on it.
    pub label: String,
    /// What it sends.
    pub command: String,
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
    /// A long value, shown whole only to who asks for it.
    Folded(String),
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

    /// Adds a long value on lines of its own, shown whole only to who asks for it.
    pub fn folded(mut self, text: impl Into<String>) -> Self {
        self.parts.push(Part::Folded(text.into()));
        self
    }

    /// Adds pieces.
    pub fn parts(mut self, parts: impl IntoIterator<Item = Part>) -> Self {
        self.parts.extend(parts);
        self
    }

    /// Adds the pieces of another reply.
    pub fn append(self, other: Self) -> Self {
        self.parts(other.parts)
    }

    /// Adds a button that sends a command, unless the command is too long for one.
    pub fn button(mut self, label: impl Into<String>, command: impl Into<String>) -> Self {
        let (label, command) = (label.into(), command.into());
        if command.len() <= COMMAND_MAX {
            self.buttons.push(Button { label, command });
        }
        self
    }

    /// The same reply in the place with this number.
    pub const fn in_place(mut self, place: u64) -> Self {
        self.place = Some(place);
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
        let why = rejected.reason.explain();
        reply = match rejected.reason {
            // It names what strangers asked for.
            Reason::Unfit(_) => reply.text(": ").code(why),
            _ => reply.text(format!(": {why}")),
        };
        if !audited {
            reply.note("The audit log can't be written; this rejection is not in it.");
        }
        reply
    }

    /// The line that the copy button copies.
    pub fn copy_line(&self) -> Option<&str> {
        self.copy.as_deref()
    }

    /// The buttons under it.
    pub fn buttons(&self) -> &[Button] {
        &self.buttons
    }

    /// The number of its place, if it has one.
    pub const fn place(&self) -> Option<u64> {
        self.place
    }

    /// Its length as Telegram counts it.
    pub fn units(&self) -> usize {
        let units = |part: &Part| match part {
            Part::Text(text) | Part::Bold(text) | Part::Code(text) => text.encode_utf16().count(),
            Part::Block(text) | Part::Folded(text) => text.encode_utf16().count().saturating_add(1),
        };
        self.parts.iter().map(units).fold(0, usize::saturating_add)
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
                Part::Folded(text) => ("\n<blockquote expandable><code>", text, "</code></blockquote>"),
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

    /// The same without marks; buttons show what they send.
    pub fn plain(&self) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) | Part::Bold(text) | Part::Code(text) => out.push_str(text),
                Part::Block(text) | Part::Folded(text) => {
                    out.push('\n');
                    out.push_str(text);
                }
            }
        }
        for button in &self.buttons {
            let apart = if out.is_empty() || out.ends_with('\n') { "" } else { "\n" };
            out.push_str(&format!("{apart}[{}] {}", button.label, button.command));
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
        let reply = Reply::new().text("a").block("APPROVE: x").button("b", "/c").in_place(u64::MAX);
        assert_eq!(Reply::from_json(&reply.to_json()), Some(reply.clone()));
        assert_eq!(reply.copy_line(), Some("APPROVE: x"));
        assert_eq!(Reply::from_json(r#"{"parts":[]}"#), Some(Reply::new()), "of an older version");
    }

    #[test]
    fn a_command_that_no_button_can_carry_gets_none() {
        let reply = Reply::new().text("a").button("fits", "x".repeat(64)).button("long", "x".repeat(65));
        assert_eq!(reply.buttons().len(), 1);
        assert_eq!(reply.plain(), format!("a\n[fits] {}", "x".repeat(64)));
        assert!(!reply.html().contains("fits"), "it stands on the button");
    }

    #[test]
    fn units_are_counted_as_telegram_does() {
        assert_eq!(Reply::new().text("a😀").bold("é").units(), 4);
    }
}
