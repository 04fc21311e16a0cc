//! Writes SVG elements. Knows no report: only shapes, text and its own few styles.

use std::fmt::Write;

use super::treemap::Rect;

/// How wide a letter is at most, as a part of the font size: the widest of the listed fonts.
const LETTER: f64 = 0.6;

const STYLE: &str = "
text { font-family: system-ui, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif; }
.page { fill: #ffffff; }
.strong { fill: #1f2328; font-weight: 600; }
.plain { fill: #1f2328; }
.dim { fill: #59636e; }
.bad { fill: #b42318; font-weight: 600; }
.tile { fill: #ffffff; }
.head { fill: #ffffff; font-weight: 600; }
.edge { stroke: #ffffff; stroke-width: 1; }
.mark { stroke: #1f2328; stroke-width: 2; }
.aim { stroke: #59636e; stroke-width: 1; stroke-dasharray: 4 3; }
.room { fill: #eaeef2; }
@media (prefers-color-scheme: dark) {
  .page { fill: #0d1117; }
  .strong, .plain { fill: #e6edf3; }
  .dim { fill: #9da7b1; }
  .bad { fill: #ff8a7a; }
  .edge { stroke: #0d1117; }
  .mark { stroke: #e6edf3; }
  .aim { stroke: #9da7b1; }
  .room { fill: #21262d; }
}
";

/// What text looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Strong,
    Plain,
    Dim,
    /// Says that something is over its budget.
    Bad,
    /// White, on a tile.
    Tile,
    /// White and heavier, on a tile.
    Head,
}

impl Ink {
    fn class(self) -> &'static str {
        match self {
            Self::Strong => "strong",
            Self::Plain => "plain",
            Self::Dim => "dim",
            Self::Bad => "bad",
            Self::Tile => "tile",
            Self::Head => "head",
        }
    }
}

/// What a straight line stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stroke {
    Mark,
    Aim,
}

/// A drawing of a fixed width that grows downwards.
#[derive(Debug)]
pub(super) struct Canvas {
    width: f64,
    body: String,
}

impl Canvas {
    pub(super) fn new(width: f64) -> Self {
        Self { width, body: String::new() }
    }

    pub(super) fn text(&mut self, x: f64, y: f64, size: f64, ink: Ink, text: &str) {
        self.anchored(x, y, size, ink, "start", text);
    }

    /// Text that ends at `x`.
    pub(super) fn text_before(&mut self, x: f64, y: f64, size: f64, ink: Ink, text: &str) {
        self.anchored(x, y, size, ink, "end", text);
    }

    fn anchored(&mut self, x: f64, y: f64, size: f64, ink: Ink, anchor: &str, text: &str) {
        let (class, text) = (ink.class(), escaped(text));
        self.push(format_args!(
            r#"<text x="{x:.1}" y="{y:.1}" font-size="{size}" text-anchor="{anchor}" class="{class}">{text}</text>"#
        ));
    }

    /// A coloured rectangle with a title for the pointer; striped if it holds constants.
    pub(super) fn tile(&mut self, rect: Rect, colour: &str, striped: bool, title: &str) {
        let Rect { x, y, width, height } = rect;
        let place = format!(r#"x="{x:.2}" y="{y:.2}" width="{width:.2}" height="{height:.2}""#);
        let title = escaped(title);
        let stripes =
            if striped { format!(r##"<rect {place} fill="url(#stripes)"/>"##) } else { String::new() };
        self.push(format_args!(
            r#"<g><title>{title}</title><rect {place} fill="{colour}" class="edge"/>{stripes}</g>"#
        ));
    }

    /// The empty room behind a bar.
    pub(super) fn room(&mut self, rect: Rect) {
        let Rect { x, y, width, height } = rect;
        self.push(format_args!(
            r#"<rect x="{x:.2}" y="{y:.2}" width="{width:.2}" height="{height:.2}" class="room"/>"#
        ));
    }

    pub(super) fn vertical(&mut self, x: f64, top: f64, bottom: f64, stroke: Stroke) {
        let class = match stroke {
            Stroke::Mark => "mark",
            Stroke::Aim => "aim",
        };
        self.push(format_args!(
            r#"<line x1="{x:.2}" y1="{top:.2}" x2="{x:.2}" y2="{bottom:.2}" class="{class}"/>"#
        ));
    }

    fn push(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string can't fail.
        let _ = writeln!(self.body, "{element}");
    }

    /// The document, `height` high.
    pub(super) fn finish(self, height: f64) -> String {
        let Self { width, body } = self;
        format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" width="{width:.0}" height="{height:.0}" role="img">
<style>{STYLE}</style>
<defs><pattern id="stripes" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="2" height="6" fill="#ffffff" fill-opacity="0.16"/></pattern></defs>
<rect width="100%" height="100%" class="page"/>
{body}</svg>
"##
        )
    }
}

/// How wide the text is at most.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    text.chars().count() as f64 * size * LETTER
}

/// As much of the text as has room, or nothing if that would be too little to read.
pub(super) fn fitting(text: &str, size: f64, room: f64) -> Option<String> {
    let letters = (room / (size * LETTER)).floor();
    // Room for a few letters only would show noise.
    if letters < 4.0 && text_width(text, size) > room {
        return None;
    }
    Some(crate::numbers::shortened(text, letters as usize))
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            // XML has no way to write other control characters.
            letter if letter.is_control() => safe.push(' '),
            letter => safe.push(letter),
        }
    }
    safe
}
