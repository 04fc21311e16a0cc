//! Tests of the HTML rules, error texts included.

use super::*;

fn kinds(source: &str) -> Vec<(String, usize, usize)> {
    parse(source).unwrap().entities.into_iter().map(|e| (e.kind, e.offset, e.length)).collect()
}

#[test]
fn tags_become_entities_with_utf16_offsets() {
    let parsed = parse("🦀<b>bold</b> <i>it<u>und</u></i>").unwrap();
    assert_eq!(parsed.text, "🦀bold itund");
    assert_eq!(
        kinds("🦀<b>bold</b> <i>it<u>und</u></i>"),
        [("bold".into(), 2, 4), ("italic".into(), 7, 5), ("underline".into(), 9, 3)]
    );
}

#[test]
fn every_supported_tag_is_taken() {
    for tag in TAGS.iter().filter(|tag| **tag != "span") {
        assert_eq!(parse(&format!("<{tag}>x</{tag}>")).unwrap().text, "x", "{tag}");
    }
    assert_eq!(kinds("<span class=\"tg-spoiler\">x</span>"), [("spoiler".into(), 0, 1)]);
    assert_eq!(kinds("<blockquote expandable>x</blockquote>"), [("expandable_blockquote".into(), 0, 1)]);
}

#[test]
fn only_four_named_entities_and_numbers_are_decoded() {
    assert_eq!(parse("&lt;&gt;&amp;&quot;&#65;&#x1F980;").unwrap().text, "<>&\"A🦀");
    assert_eq!(parse("&nbsp;&apos; a & b &#0; &#xD800;").unwrap().text, "&nbsp;&apos; a & b &#0; &#xD800;");
}

#[test]
fn a_language_belongs_to_pre_with_code() {
    let parsed = parse("<pre><code class=\"language-rust\">fn</code></pre>").unwrap();
    assert_eq!(parsed.entities.len(), 1);
    assert_eq!(
        (parsed.entities[0].kind.as_str(), parsed.entities[0].language.as_deref()),
        ("pre", Some("rust"))
    );
    assert_eq!(parse("<code class=language-c>x</code>").unwrap().entities[0].language, None);
}

#[test]
fn links_keep_their_address() {
    let parsed = parse("<a href='https://a.example/?x=1&amp;y=2'>here</a>").unwrap();
    assert_eq!(parsed.entities[0].url.as_deref(), Some("https://a.example/?x=1&y=2"));
}

#[test]
fn broken_markup_gets_the_servers_words() {
    for (source, error) in [
        ("a <c>", "Unsupported start tag \"c\" at byte offset 2"),
        ("1 < 2 > 0", "Unsupported start tag \"\" at byte offset 2"),
        ("é <b", "Unclosed start tag at byte offset 3"),
        ("<b>x", "Can't find end tag corresponding to start tag \"b\""),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("<b>x</i>", "Unmatched end tag at byte offset 4, expected \"</b>\", found \"</i>\""),
        ("<b>x</b", "Unclosed end tag at byte offset 4"),
        ("<span>x</span>", "Tag \"span\" must have class \"tg-spoiler\" at byte offset 0"),
        ("<a =x>y</a>", "Empty attribute name in the tag \"a\" at byte offset 0"),
        (
            "<a href>y</a>",
            "Expected equal sign in declaration of an attribute of the tag \"a\" at byte offset 0",
        ),
        ("<a href=a/b>y</a>", "Unexpected end of name token at byte offset 8"),
        ("<a href=\"x>y</a>", "Unclosed start tag \"a\" at byte offset 0"),
    ] {
        assert_eq!(parse(source).unwrap_err(), error, "{source}");
    }
}

#[test]
fn white_space_around_the_text_goes_and_entities_move() {
    let parsed = parse("\n <b> x </b> ").unwrap();
    assert_eq!(parsed.text, "x");
    assert_eq!(kinds("\n <b> x </b> "), [("bold".into(), 0, 1)]);
    assert_eq!(parse(" <b> </b>").unwrap(), Formatted::default());
}
