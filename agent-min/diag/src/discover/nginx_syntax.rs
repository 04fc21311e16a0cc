//! How nginx writes its configuration: words, `;`, `{`, `}`, quotes and comments. Variables are left alone.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

/// More words of a directive are dropped; `server_name` with aliases has the most.
const WORDS_MAX: usize = 256;
/// What a word keeps; a format of a log is the longest.
const WORD_MAX: usize = 2048;

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// `name value value;`
    Directive(Vec<String>),
    /// `name value {`
    Open(Vec<String>),
    /// `}`
    Close,
}

/// Reads the next piece from `at` on, and moves `at` behind it. `None` at the end.
pub fn piece(text: &[u8], at: &mut usize) -> Option<Piece> {
    let mut words: Vec<String> = Vec::new();
    loop {
        let rest = text.get(*at..)?;
        let (first, _) = rest.split_first()?;
        match first {
            b' ' | b'\t' | b'\r' | b'\n' => *at = at.saturating_add(1),
            b'#' => *at = at.saturating_add(rest.iter().position(|c| *c == b'\n').unwrap_or(rest.len())),
            b';' => {
                *at = at.saturating_add(1);
                if !words.is_empty() {
                    return Some(Piece::Directive(words));
                }
            }
            b'{' => {
                *at = at.saturating_add(1);
                if words.first().is_some_and(|name| name.ends_with("_by_lua_block")) {
                    skip_block(text, at);
                    words.clear();
                    continue;
                }
                return Some(Piece::Open(words));
            }
            b'}' => {
                *at = at.saturating_add(1);
                return Some(Piece::Close);
            }
            _ => {
                let word = word(rest, at);
                if words.len() < WORDS_MAX {
                    words.push(word);
                }
            }
        }
    }
}

/// One word, quoted or plain. `\` keeps what follows it from ending the word, and stays unless it hides a quote.
fn word(rest: &[u8], at: &mut usize) -> String {
    let mut out = Vec::new();
    let mut bytes = rest.iter().copied().enumerate().peekable();
    let quote = bytes.next_if(|(_, c)| matches!(c, b'"' | b'\'')).map(|(_, c)| c);
    let mut end = rest.len();
    let mut variable = false;
    while let Some((index, byte)) = bytes.next() {
        match (byte, quote) {
            (b'\\', _) => {
                let Some((_, next)) = bytes.next() else { continue };
                if !matches!(next, b'"' | b'\'' | b'\\' | b';' | b' ') {
                    out.push(b'\\');
                }
                out.push(next);
            }
            (c, Some(quote)) if c == quote => {
                end = index.saturating_add(1);
                break;
            }
            (b' ' | b'\t' | b'\r' | b'\n' | b';', None) => {
                end = index;
                break;
            }
            (b'{', None) if !variable => {
                end = index;
                break;
            }
            (c, _) => out.push(c),
        }
        variable = byte == b'$';
    }
    *at = at.saturating_add(end);
    out.truncate(WORD_MAX);
    String::from_utf8_lossy(&out).into_owned()
}

/// Jumps over a block of another language, whose braces are only counted.
fn skip_block(text: &[u8], at: &mut usize) {
    let mut depth = 1_usize;
    while let Some(byte) = text.get(*at) {
        *at = at.saturating_add(1);
        match byte {
            b'{' => depth = depth.saturating_add(1),
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(text: &str) -> Vec<Piece> {
        let mut at = 0;
        std::iter::from_fn(|| piece(text.as_bytes(), &mut at)).collect()
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn blocks_quotes_comments_and_variables_are_read_as_nginx_does() {
        let pieces = all("# c;\nserver { # {\n  server_name a.b \"c d\" 'e\\'f';\n  root /srv/${name}x;\n\
                          location ~ \\.php$ {}\n;;}\nend");
        assert_eq!(
            pieces,
            [
                Piece::Open(words(&["server"])),
                Piece::Directive(words(&["server_name", "a.b", "c d", "e'f"])),
                Piece::Directive(words(&["root", "/srv/${name}x"])),
                Piece::Open(words(&["location", "~", "\\.php$"])),
                Piece::Close,
                Piece::Close,
            ]
        );
    }

    #[test]
    fn code_of_another_language_is_jumped_over() {
        let pieces = all("content_by_lua_block { if x then y = {1; 2} end } root /a;");
        assert_eq!(pieces, [Piece::Directive(words(&["root", "/a"]))]);
    }

    #[test]
    fn a_format_in_several_strings_stays_in_its_words() {
        let pieces = all("log_format main '$remote_addr - ' '\"$request\"';");
        assert_eq!(
            pieces,
            [Piece::Directive(words(&["log_format", "main", "$remote_addr - ", "\"$request\""]))]
        );
    }

    proptest! {
        #[test]
        fn any_bytes_end(text in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut at = 0;
            let mut pieces = 0;
            while piece(&text, &mut at).is_some() {
                pieces += 1;
                prop_assert!(pieces <= text.len());
            }
        }

        #[test]
        fn any_text_of_signs_ends(text in prop::collection::vec(prop::sample::select(b"a{};'\"\\#\n $".to_vec()), 0..400)) {
            let mut at = 0;
            let mut pieces = 0;
            while piece(&text, &mut at).is_some() {
                pieces += 1;
                prop_assert!(pieces <= text.len());
            }
        }
    }
}
