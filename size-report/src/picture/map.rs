//! The map of one target: a tile per part, in it a tile per function or constant.

use super::canvas::{Canvas, Ink, fitting, text_width};
use super::palette::Palette;
use super::short::short_name;
use super::treemap::{Rect, layout};
use super::{MARGIN, WIDTH};
use crate::numbers::{grouped, percent};
use crate::report::{ChangedPart, Weighed};
use crate::weigh::Named;

const HEIGHT: f64 = 680.0;
const HEAD: f64 = 18.0;
/// Tiles below this area, in square pixels, go into one for the rest.
const LEAST: f64 = 150.0;

/// Draws from `y` downwards and returns where it ended.
pub(super) fn draw(canvas: &mut Canvas, target: &Weighed, palette: &Palette, y: f64) -> f64 {
    let title = format!("{}, byte by byte", target.triple);
    canvas.text(MARGIN, y + 14.0, 16.0, Ink::Strong, &title);
    let hint = "an area is its share of the file; striped: constants; hover for names";
    canvas.text_before(WIDTH - MARGIN, y + 14.0, 12.0, Ink::Dim, hint);
    let bounds = Rect { x: MARGIN, y: y + 26.0, width: WIDTH - 2.0 * MARGIN, height: HEIGHT };
    let weights: Vec<u64> = target.parts.iter().map(|row| row.part.bytes).collect();
    for (row, rect) in target.parts.iter().zip(layout(&weights, bounds)) {
        part(canvas, target, row, rect, palette.colour(&row.part.name));
    }
    bounds.y + bounds.height
}

fn part(canvas: &mut Canvas, target: &Weighed, row: &ChangedPart, rect: Rect, colour: &str) {
    let part = &row.part;
    let share = percent(part.bytes, target.bytes);
    let title = format!(
        "{}: {} bytes, {share}; code {}, data {}",
        part.name,
        grouped(part.bytes),
        grouped(part.code),
        grouped(part.data)
    );
    let members: Vec<&Named> = target.symbols.iter().filter(|symbol| symbol.owner == part.name).collect();
    let constants = members.is_empty() && part.data > part.code;
    canvas.tile(rect, colour, constants, &title);
    let headed = head(canvas, rect, &part.name, part.bytes, &share);
    if members.is_empty() || rect.area() < 4.0 * LEAST {
        return;
    }
    let inside = rect.without(2.0, if headed { HEAD } else { 2.0 }, 2.0, 2.0);
    tiles(canvas, &members, part.bytes, inside, colour);
}

/// Writes the name of a part at the top of its tile, as far as there is room.
fn head(canvas: &mut Canvas, rect: Rect, name: &str, bytes: u64, share: &str) -> bool {
    if rect.height < HEAD {
        return false;
    }
    // Heavier letters are wider: as wide as plain ones of this size.
    const BOLD: f64 = 13.5;
    let room = rect.width - 10.0;
    let full = format!("{name} · {} · {share}", grouped(bytes));
    let middle = format!("{name} · {}", grouped(bytes));
    let fits = [full, middle].into_iter().find(|text| text_width(text, BOLD) <= room);
    let Some(text) = fits.or_else(|| fitting(name, BOLD, room)) else { return false };
    canvas.text(rect.x + 5.0, rect.y + 13.5, 12.0, Ink::Head, &text);
    true
}

/// The named members of a part, and one tile for all that are too small to see.
fn tiles(canvas: &mut Canvas, members: &[&Named], bytes: u64, bounds: Rect, colour: &str) {
    let scale = bounds.area() / bytes.max(1) as f64;
    let visible = members.iter().take_while(|symbol| symbol.bytes as f64 * scale >= LEAST).count();
    let (visible, small) = members.split_at(visible);
    let mut tiles: Vec<(u64, Option<&Named>)> =
        visible.iter().map(|symbol| (symbol.bytes, Some(*symbol))).collect();
    let named: u64 = visible.iter().map(|symbol| symbol.bytes).sum();
    tiles.push((bytes.saturating_sub(named), None));
    tiles.sort_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
    let weights: Vec<u64> = tiles.iter().map(|(bytes, _)| *bytes).collect();
    for ((bytes, symbol), rect) in tiles.into_iter().zip(layout(&weights, bounds)) {
        let figure = grouped(bytes);
        match symbol {
            Some(symbol) => {
                let kind = if symbol.code { "code" } else { "constants" };
                let title = format!("{}: {figure} bytes of {kind}", symbol.name);
                canvas.tile(rect, colour, !symbol.code, &title);
                label(canvas, rect, &short_name(&symbol.name), bytes);
            }
            None if bytes > 0 => {
                let text = format!("{} smaller", grouped(small.len() as u64));
                canvas.tile(rect, colour, false, &format!("{text}: {figure} bytes"));
                label(canvas, rect, &text, bytes);
            }
            None => {}
        }
    }
}

/// Writes what has room: the name, on two lines if that keeps more of it, and the bytes.
fn label(canvas: &mut Canvas, rect: Rect, name: &str, bytes: u64) {
    const SIZE: f64 = 10.0;
    const LINE: f64 = 12.0;
    if rect.height < LINE + 1.0 {
        return;
    }
    let room = rect.width - 6.0;
    let figure = grouped(bytes);
    let whole = text_width(name, SIZE) <= room;
    let mut lines = match name.rsplit_once("::") {
        Some((before, last)) if !whole && rect.height >= 3.0 * LINE => vec![before, last],
        _ => vec![name],
    };
    if rect.height >= (lines.len() + 1) as f64 * LINE + 2.0 && text_width(&figure, SIZE) <= room {
        lines.push(&figure);
    }
    let mut y = rect.y + 10.5;
    for line in lines {
        let Some(text) = fitting(line, SIZE, room) else { return };
        canvas.text(rect.x + 3.0, y, SIZE, Ink::Tile, &text);
        y += LINE;
    }
}
