//! What the server makes of a text with `parse_mode=HTML`: plain text and entities, or the error.
//!
//! Pure. The rules and the wording of the errors are those of the open-source Bot API server: a short
//! list of tags, four named entities and the numeric ones, byte offsets in every message, lengths and
//! offsets of entities in UTF-16 code units.

use crate::formatted::{Entity, Formatted, merge_pre_and_code, trim};

const TAGS: [&str; 16] = [
    "a",
    "b",
    "strong",
    "i",
    "em",
    "s",
    "strike",
    "del",
    "u",
    "ins",
    "tg-spoiler",
    "tg-emoji",
    "span",
    "pre",
    "code",
    "blockquote",
];

/// Parses `source`, or says why the server would refuse it (without the "can't parse entities: " part).
pub(crate) fn parse(source: &str) -> Result<Formatted, String> {
    let mut parser = Parser { bytes: source.as_bytes(), at: 0, out: Vec::new(), utf16: 0, open: Vec::new() };
    let mut entities = Vec::new();
    while let Some(byte) = parser.peek() {
        match byte {
            b'<' if parser.bytes.get(parser.at + 1) == Some(&b'/') => entities.extend(parser.end_tag()?),
            b'<' => parser.start_tag()?,
            b'&' => parser.ampersand(),
            _ => parser.copy_byte(byte),
        }
    }
    if let Some(tag) = parser.open.last() {
        return Err(format!("Can't find end tag corresponding to start tag \"{}\"", tag.name));
    }
    let text = String::from_utf8_lossy(&parser.out).into_owned();
    entities.sort_by(|a: &Entity, b: &Entity| a.offset.cmp(&b.offset).then(b.length.cmp(&a.length)));
    merge_pre_and_code(&mut entities);
    Ok(trim(&text, entities))
}

struct OpenTag {
    name: String,
    argument: String,
    offset: usize,
    start: usize,
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    out: Vec<u8>,
    utf16: usize,
    open: Vec<OpenTag>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn copy_byte(&mut self, byte: u8) {
        // Continuation bytes have no width of their own; a four-byte sequence is a surrogate pair.
        if byte & 0xC0 != 0x80 {
            self.utf16 += 1 + usize::from(byte >= 0xF0);
        }
        self.out.push(byte);
        self.at += 1;
    }

    fn ampersand(&mut self) {
        match decode_entity(self.bytes.get(self.at..).unwrap_or_default()) {
            Some((character, used)) => {
                self.at += used;
                self.utf16 += character.len_utf16();
                self.out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            None => self.copy_byte(b'&'),
        }
    }

    fn take_while(&mut self, keep: impl Fn(u8) -> bool) -> String {
        let start = self.at;
        while self.peek().is_some_and(&keep) {
            self.at += 1;
        }
        String::from_utf8_lossy(self.bytes.get(start..self.at).unwrap_or_default()).into_owned()
    }

    fn skip_space(&mut self) {
        self.take_while(is_space);
    }

    fn start_tag(&mut self) -> Result<(), String> {
        let begin = self.at;
        self.at += 1;
        let name = self.take_while(|byte| !is_space(byte) && byte != b'>').to_lowercase();
        if self.peek().is_none() {
            return Err(format!("Unclosed start tag at byte offset {begin}"));
        }
        if !TAGS.contains(&name.as_str()) {
            return Err(format!("Unsupported start tag \"{name}\" at byte offset {begin}"));
        }
        let mut argument = String::new();
        loop {
            self.skip_space();
            match self.peek() {
                None => return Err(format!("Unclosed start tag \"{name}\" at byte offset {begin}")),
                Some(b'>') => break,
                Some(_) => {}
            }
            let (attribute, value) = self.attribute(&name, begin)?;
            if let Some(wanted) = argument_of(&name, &attribute, &value) {
                argument = wanted;
            }
        }
        self.at += 1;
        if name == "span" && argument != "spoiler" {
            return Err(format!("Tag \"span\" must have class \"tg-spoiler\" at byte offset {begin}"));
        }
        self.open.push(OpenTag { name, argument, offset: self.utf16, start: self.out.len() });
        Ok(())
    }

    fn attribute(&mut self, tag: &str, begin: usize) -> Result<(String, String), String> {
        let attribute =
            self.take_while(|byte| !is_space(byte) && byte != b'=' && byte != b'>').to_lowercase();
        if attribute.is_empty() {
            return Err(format!("Empty attribute name in the tag \"{tag}\" at byte offset {begin}"));
        }
        self.skip_space();
        if self.peek() != Some(b'=') {
            if tag == "blockquote" && attribute == "expandable" {
                return Ok((attribute, String::new()));
            }
            return Err(format!(
                "Expected equal sign in declaration of an attribute of the tag \"{tag}\" at byte offset {begin}"
            ));
        }
        self.at += 1;
        self.skip_space();
        let value = match self.peek() {
            Some(quote @ (b'"' | b'\'')) => self.quoted(quote),
            _ => self.name_token()?,
        };
        if self.peek().is_none() {
            return Err(format!("Unclosed start tag \"{tag}\" at byte offset {begin}"));
        }
        Ok((attribute, value))
    }

    fn name_token(&mut self) -> Result<String, String> {
        let begin = self.at;
        let token = self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-');
        match self.peek() {
            Some(byte) if !is_space(byte) && byte != b'>' => {
                Err(format!("Unexpected end of name token at byte offset {begin}"))
            }
            _ => Ok(token.to_lowercase()),
        }
    }

    fn quoted(&mut self, quote: u8) -> String {
        self.at += 1;
        let mut value = Vec::new();
        while let Some(byte) = self.peek().filter(|byte| *byte != quote) {
            match decode_entity(self.bytes.get(self.at..).unwrap_or_default()) {
                Some((character, used)) => {
                    self.at += used;
                    value.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                None => {
                    value.push(byte);
                    self.at += 1;
                }
            }
        }
        if self.peek().is_some() {
            self.at += 1;
        }
        String::from_utf8_lossy(&value).into_owned()
    }

    fn end_tag(&mut self) -> Result<Option<Entity>, String> {
        let begin = self.at;
        self.at += 2;
        let Some(tag) = self.open.pop() else {
            return Err(format!("Unexpected end tag at byte offset {begin}"));
        };
        let name = self.take_while(|byte| !is_space(byte) && byte != b'>').to_lowercase();
        self.skip_space();
        if self.peek() != Some(b'>') {
            return Err(format!("Unclosed end tag at byte offset {begin}"));
        }
        self.at += 1;
        // The server takes `</>` as the end of whatever is open.
        if !name.is_empty() && name != tag.name {
            return Err(format!(
                "Unmatched end tag at byte offset {begin}, expected \"</{}>\", found \"</{name}>\"",
                tag.name
            ));
        }
        let shown = String::from_utf8_lossy(self.out.get(tag.start..).unwrap_or_default()).into_owned();
        Ok(entity(tag, self.utf16, &shown))
    }
}

fn argument_of(tag: &str, attribute: &str, value: &str) -> Option<String> {
    match (tag, attribute) {
        ("a", "href") | ("tg-emoji", "emoji-id") => Some(value.to_owned()),
        ("code", "class") => value.strip_prefix("language-").map(str::to_owned),
        ("span", "class") => value.strip_prefix("tg-").map(str::to_owned),
        ("blockquote", "expandable") => Some("expandable".to_owned()),
        _ => None,
    }
}

fn entity(tag: OpenTag, end: usize, shown: &str) -> Option<Entity> {
    let length = end.checked_sub(tag.offset).filter(|length| *length > 0)?;
    let argument = Some(tag.argument).filter(|argument| !argument.is_empty());
    let mut made = Entity {
        kind: String::new(),
        offset: tag.offset,
        length,
        url: None,
        language: None,
        custom_emoji_id: None,
    };
    let kind = match tag.name.as_str() {
        "b" | "strong" => "bold",
        "i" | "em" => "italic",
        "s" | "strike" | "del" => "strikethrough",
        "u" | "ins" => "underline",
        "tg-spoiler" | "span" => "spoiler",
        "blockquote" if argument.is_some() => "expandable_blockquote",
        "blockquote" => "blockquote",
        "pre" => "pre",
        "code" => {
            made.language = argument;
            "code"
        }
        "tg-emoji" => {
            made.custom_emoji_id = argument;
            "custom_emoji"
        }
        _ => {
            made.url = argument.or_else(|| Some(shown.to_owned()));
            "text_link"
        }
    };
    kind.clone_into(&mut made.kind);
    Some(made)
}

/// The character at the start of `bytes` (which begin with `&`) and how many bytes it took.
fn decode_entity(bytes: &[u8]) -> Option<(char, usize)> {
    let rest = bytes.strip_prefix(b"&")?;
    let (character, used) = match rest.strip_prefix(b"#") {
        Some(number) => {
            let (digits, radix, skip) = match number.first() {
                Some(b'x' | b'X') => (number.get(1..)?, 16, 3),
                _ => (number, 10, 2),
            };
            let count = digits.iter().take_while(|byte| char::from(**byte).is_digit(radix)).count();
            let text = std::str::from_utf8(digits.get(..count)?).ok()?;
            let code = u32::from_str_radix(text, radix).ok().filter(|code| *code != 0)?;
            (char::from_u32(code)?, skip + count)
        }
        None => {
            let count = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
            let character = match rest.get(..count)? {
                b"lt" => '<',
                b"gt" => '>',
                b"amp" => '&',
                b"quot" => '"',
                _ => return None,
            };
            (character, 1 + count)
        }
    };
    let semicolon = usize::from(bytes.get(used) == Some(&b';'));
    Some((character, used + semicolon))
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0 | 0x0B)
}

#[cfg(test)]
#[path = "html_tests.rs"]
mod tests;
