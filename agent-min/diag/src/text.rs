//! Lines that strangers wrote, made fit to be shown.

use secmon_wire::limits::EVIDENCE_LINE_MAX;

/// What stands in a secret's place.
const HIDDEN: &str = "***";
/// Words before a `=` or `:` whose value is a secret, in lower case; a longer word that ends so counts, too.
const SECRET_WORDS: [&str; 12] = [
    "password",
    "passwd",
    "pwd",
    "pass",
    "secret",
    "token",
    "key",
    "auth",
    "authorization",
    "cookie",
    "otp",
    "nonce",
];

/// A line of a log for a finding: printable, cut, and without what follows a word such as `password=`, the user's
/// part of an address of mail, and the query of a URL.
pub fn redacted(line: &[u8]) -> heapless::String<EVIDENCE_LINE_MAX> {
    let mut out = heapless::String::new();
    let text = String::from_utf8_lossy(line.get(..MOST_READ).unwrap_or(line));
    let mut hide_next = false;
    for (at, word) in text.split(' ').enumerate() {
        let space = if at == 0 { "" } else { " " };
        let shown = if hide_next && !word.is_empty() { HIDDEN.to_owned() } else { redacted_word(word) };
        hide_next = names_a_secret(word.trim_end_matches([':', '='])) && word.ends_with([':', '='])
            || ["basic", "bearer"].iter().any(|scheme| bare(word).eq_ignore_ascii_case(scheme));
        for c in space.chars().chain(shown.chars()) {
            let c = if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
            if out.push(c).is_err() {
                return out;
            }
        }
    }
    out
}

/// The boot id as the kernel writes it (`/proc/sys/kernel/random/boot_id`), its dashes left out; zeros if it is none.
pub fn boot_id(text: &[u8]) -> [u8; 16] {
    let digits: Vec<u8> = text.trim_ascii_end().iter().copied().filter(|byte| *byte != b'-').collect();
    secmon_wire::from_hex(&digits).unwrap_or_default()
}

/// More of a line is never shown.
const MOST_READ: usize = 1024;

fn redacted_word(word: &str) -> String {
    // The query of a URL, up to what closes it.
    let word = match word.split_once('?') {
        Some((before, query)) if before.contains('/') => {
            let end = query.find(['"', '\'', ',', ')', '>']).unwrap_or(query.len());
            format!("{before}?{HIDDEN}{}", query.get(end..).unwrap_or_default())
        }
        _ => word.to_owned(),
    };
    let word = match word.split_once('@') {
        Some((user, host)) if host.contains('.') && !user.contains('\'') => {
            let start =
                user.rfind(|c: char| !(c.is_alphanumeric() || "._+-".contains(c))).map_or(0, |at| at + 1);
            let lead = user.get(..start).unwrap_or_default();
            format!("{lead}{HIDDEN}@{host}")
        }
        _ => word,
    };
    let mut out = String::new();
    let mut rest = word.as_str();
    while let Some(at) = rest.find(['=', ':']) {
        let (name, value) = rest.split_at(at);
        let (sign, value) = value.split_at(1);
        out.push_str(name);
        out.push_str(sign);
        let end = value.find(['&', ';', ',']).unwrap_or(value.len());
        if names_a_secret(name) && !value.is_empty() {
            out.push_str(HIDDEN);
            rest = value.get(end..).unwrap_or_default();
        } else {
            rest = value;
        }
    }
    out.push_str(rest);
    out
}

/// Without what a word is wrapped in.
fn bare(word: &str) -> &str {
    word.trim_matches(['"', '\'', '[', '(', '{'])
}

fn names_a_secret(name: &str) -> bool {
    let name = bare(name).to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| name.ends_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_gone_and_the_rest_is_there() {
        for (line, shown) in [
            ("connect() to unix:/run/php/php8.2-fpm.sock failed (2: No such file or directory)", None),
            ("nginx: [emerg] unknown directive \"bogus\" in /etc/nginx/conf.d/bad.conf:1", None),
            ("DB_PASSWORD=hunter2 and user=me", Some("DB_PASSWORD=*** and user=me")),
            ("Authorization: Bearer abc.def", Some("Authorization: *** ***")),
            ("header \"Bearer abc.def\" refused", Some("header \"Bearer *** refused")),
            ("Cookie: wordpress_logged_in=abc", Some("Cookie: ***")),
            ("GET /?s=secret&x=1 HTTP/1.1", Some("GET /?*** HTTP/1.1")),
            ("\"GET /a?token=1\", upstream", Some("\"GET /a?***\", upstream")),
            ("mail to <jo.doe+x@example.com> failed", Some("mail to <***@example.com> failed")),
            (
                "Access denied for user 'wp'@'localhost' (using password: YES)",
                Some("Access denied for user 'wp'@'localhost' (using password: ***"),
            ),
            ("a\u{202e}b\tc", Some("a?b?c")),
        ] {
            assert_eq!(redacted(line.as_bytes()), shown.unwrap_or(line), "{line}");
        }
    }

    #[test]
    fn a_boot_id_is_sixteen_bytes_or_none() {
        let id = boot_id(b"00112233-4455-6677-8899-aabbccddeeff\n");
        assert_eq!(id[..3], [0, 0x11, 0x22]);
        for none in [b"".as_slice(), b"0011", b"00112233-4455-6677-8899-aabbccddeefg"] {
            assert_eq!(boot_id(none), [0; 16]);
        }
    }

    #[test]
    fn a_line_of_any_bytes_is_cut() {
        assert_eq!(redacted(&[0xff; 100_000]).len(), EVIDENCE_LINE_MAX);
    }
}
