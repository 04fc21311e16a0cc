//! One bar per target, on one scale, with the aim and each budget marked, and the legend below.

use super::canvas::{Canvas, Ink, Stroke, text_width};
use super::palette::Palette;
use super::treemap::Rect;
use super::{MARGIN, WIDTH};
use crate::numbers::{grouped, percent, signed};
use crate::report::{Report, Weighed};

const NAMES: f64 = 262.0;
const FIGURES: f64 = 250.0;
const ROW: f64 = 40.0;
const BAR: f64 = 26.0;

/// Draws from `y` downwards and returns where it ended.
pub(super) fn draw(canvas: &mut Canvas, report: &Report, palette: &Palette, y: f64) -> f64 {
    let largest = report.targets.iter().map(|target| target.bytes.max(target.budget)).max();
    let scale = Scale { largest: largest.unwrap_or(0).max(report.aim) };
    let top = y + 22.0;
    let mut row = top;
    for target in &report.targets {
        bar(canvas, target, palette, &scale, row);
        row += ROW;
    }
    if !report.targets.is_empty() {
        let x = scale.x(report.aim);
        canvas.vertical(x, top - 6.0, row - ROW + BAR + 6.0, Stroke::Aim);
        canvas.text_before(x - 5.0, top - 8.0, 11.0, Ink::Dim, &format!("aim {}", grouped(report.aim)));
        if let Some(first) = report.targets.first() {
            let label = format!("budget {}", grouped(first.budget));
            canvas.text_before(scale.x(first.budget) + 1.0, top - 8.0, 11.0, Ink::Dim, &label);
        }
    }
    for triple in &report.missing {
        canvas.text(MARGIN, row + 17.0, 13.0, Ink::Dim, triple);
        canvas.text(MARGIN + NAMES, row + 17.0, 13.0, Ink::Dim, "not built");
        row += 26.0;
    }
    legend(canvas, palette, row + 8.0)
}

/// Bytes to the right of the names.
struct Scale {
    largest: u64,
}

impl Scale {
    fn x(&self, bytes: u64) -> f64 {
        let room = WIDTH - 2.0 * MARGIN - NAMES - FIGURES;
        MARGIN + NAMES + room * bytes as f64 / self.largest as f64
    }
}

fn bar(canvas: &mut Canvas, target: &Weighed, palette: &Palette, scale: &Scale, y: f64) {
    canvas.text(MARGIN, y + 18.0, 13.0, Ink::Plain, &target.triple);
    let start = scale.x(0);
    canvas.room(Rect { x: start, y, width: scale.x(target.budget) - start, height: BAR });
    let mut done = 0;
    for (group, colour) in palette.entries() {
        let rows = target.parts.iter().filter(|row| palette.group(&row.part.name) == group);
        let bytes: u64 = rows.map(|row| row.part.bytes).sum();
        if bytes == 0 {
            continue;
        }
        let x = scale.x(done);
        let rect = Rect { x, y, width: scale.x(done + bytes) - x, height: BAR };
        let share = percent(bytes, target.bytes);
        canvas.tile(rect, colour, false, &format!("{group}: {} bytes, {share}", grouped(bytes)));
        done += bytes;
        if rect.width > text_width(&grouped(bytes / 1000), 11.0) + 14.0 {
            canvas.text(x + 4.0, y + 17.0, 11.0, Ink::Tile, &format!("{}k", grouped(bytes / 1000)));
        }
    }
    canvas.vertical(scale.x(target.budget), y - 3.0, y + BAR + 3.0, Stroke::Mark);
    let right = WIDTH - MARGIN;
    let ink = if target.to_budget > 0 { Ink::Bad } else { Ink::Strong };
    canvas.text(right - FIGURES + 16.0, y + 18.0, 14.0, ink, &grouped(target.bytes));
    let distance = format!("{} to budget", signed(target.to_budget));
    let ink = if target.to_budget > 0 { Ink::Bad } else { Ink::Dim };
    canvas.text_before(right, y + 12.0, 11.0, ink, &distance);
    let baseline = target.baseline.map(|baseline| format!("{} to baseline", signed(baseline.change)));
    canvas.text_before(
        right,
        y + 26.0,
        11.0,
        Ink::Dim,
        &baseline.unwrap_or_else(|| "not in baseline".into()),
    );
}

fn legend(canvas: &mut Canvas, palette: &Palette, y: f64) -> f64 {
    let (mut x, mut y) = (MARGIN, y);
    for (name, colour) in palette.entries() {
        let width = 18.0 + text_width(name, 12.0) + 16.0;
        if x + width > WIDTH - MARGIN {
            x = MARGIN;
            y += 22.0;
        }
        canvas.tile(Rect { x, y, width: 12.0, height: 12.0 }, colour, false, name);
        canvas.text(x + 18.0, y + 10.5, 12.0, Ink::Plain, name);
        x += width;
    }
    y + 22.0
}
