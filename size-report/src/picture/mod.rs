//! The picture one looks at to see where the bytes are: bars per target, and a map of one target.
//!
//! A plain SVG without scripts: style sheet, rectangles, text. Hovering shows a title where the viewer
//! supports it. Text and background follow the viewer's light or dark scheme; tiles keep their colours,
//! which carry white text in both.

mod bars;
mod canvas;
mod map;
mod palette;
mod short;
mod treemap;

use canvas::{Canvas, Ink};
use palette::Palette;

use crate::numbers::grouped;
use crate::report::Report;

const WIDTH: f64 = 1200.0;
const MARGIN: f64 = 28.0;

/// Draws the report. The map shows the first target that is divided by crates.
pub(crate) fn render(report: &Report) -> String {
    let palette = Palette::new(&report.targets);
    let mut canvas = Canvas::new(WIDTH);
    let mut y = 46.0;
    canvas.text(MARGIN, y, 22.0, Ink::Strong, "What secmon-agent weighs, and where its bytes are");
    y += 24.0;
    let line = format!(
        "released binaries, in bytes; the aim is {}, every target has a budget, {} were promised",
        grouped(report.aim),
        grouped(report.promise)
    );
    canvas.text(MARGIN, y, 13.0, Ink::Dim, &line);
    y = bars::draw(&mut canvas, report, &palette, y + 22.0);
    if let Some(target) = report.targets.iter().find(|target| !target.symbols.is_empty()) {
        y = map::draw(&mut canvas, target, &palette, y + 20.0);
    }
    canvas.finish(y + MARGIN)
}

#[cfg(test)]
#[path = "picture_tests.rs"]
mod tests;
