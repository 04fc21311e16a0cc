//! Lays out weights as rectangles whose areas are in proportion, near to squares.
//!
//! Pure geometry. The method is the squarified treemap of Bruls, Huizing and van Wijk (2000): rows are
//! filled along the shorter side as long as that makes their rectangles less elongated.

/// A place in the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rect {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Rect {
    pub(crate) fn area(self) -> f64 {
        self.width * self.height
    }

    /// The rectangle without a margin on each side; never of negative size.
    pub(crate) fn without(self, left: f64, top: f64, right: f64, bottom: f64) -> Self {
        Self {
            x: self.x + left,
            y: self.y + top,
            width: (self.width - left - right).max(0.0),
            height: (self.height - top - bottom).max(0.0),
        }
    }
}

/// One rectangle per weight, in the same order. Best with the heaviest first.
pub(crate) fn layout(weights: &[u64], bounds: Rect) -> Vec<Rect> {
    let total: f64 = weights.iter().map(|weight| *weight as f64).sum();
    let scale = if total > 0.0 { bounds.area() / total } else { 0.0 };
    let areas: Vec<f64> = weights.iter().map(|weight| *weight as f64 * scale).collect();
    let mut placed = Vec::with_capacity(areas.len());
    let mut free = bounds;
    let mut rest = areas.as_slice();
    while !rest.is_empty() {
        let (row, after) = rest.split_at(row_length(rest, free.width.min(free.height)));
        free = place(row, free, &mut placed);
        rest = after;
    }
    placed
}

/// How many of the next areas make the best row along a side.
fn row_length(areas: &[f64], side: f64) -> usize {
    let mut best = f64::INFINITY;
    for length in 1..=areas.len() {
        let elongation = worst(areas.get(..length).unwrap_or_default(), side);
        if elongation > best {
            return length - 1;
        }
        best = elongation;
    }
    areas.len()
}

/// The ratio of the most elongated rectangle in a row.
fn worst(row: &[f64], side: f64) -> f64 {
    let sum: f64 = row.iter().sum();
    if sum <= 0.0 || side <= 0.0 {
        return f64::INFINITY;
    }
    let thickness = sum / side;
    let ratio = |area: &f64| {
        let length = area / thickness;
        (length / thickness).max(thickness / length)
    };
    row.iter().map(ratio).fold(0.0, f64::max)
}

/// Places a row along the shorter side and returns what stays free.
fn place(row: &[f64], free: Rect, placed: &mut Vec<Rect>) -> Rect {
    let sum: f64 = row.iter().sum();
    let wide = free.width >= free.height;
    let side = if wide { free.height } else { free.width };
    let thickness = if side > 0.0 { sum / side } else { 0.0 };
    let mut along = 0.0;
    for area in row {
        let length = if thickness > 0.0 { area / thickness } else { 0.0 };
        placed.push(if wide {
            Rect { x: free.x, y: free.y + along, width: thickness, height: length }
        } else {
            Rect { x: free.x + along, y: free.y, width: length, height: thickness }
        });
        along += length;
    }
    if wide { free.without(thickness, 0.0, 0.0, 0.0) } else { free.without(0.0, thickness, 0.0, 0.0) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: Rect = Rect { x: 10.0, y: 20.0, width: 800.0, height: 500.0 };

    fn overlap(a: Rect, b: Rect) -> f64 {
        let width = (a.x + a.width).min(b.x + b.width) - a.x.max(b.x);
        let height = (a.y + a.height).min(b.y + b.height) - a.y.max(b.y);
        width.max(0.0) * height.max(0.0)
    }

    proptest! {
        #[test]
        fn areas_are_in_proportion_inside_the_bounds_and_apart(
            mut weights in prop::collection::vec(1_u64..2_000_000, 1..40),
        ) {
            weights.sort_unstable_by(|a, b| b.cmp(a));
            let total: u64 = weights.iter().sum();
            let rects = layout(&weights, BOUNDS);
            prop_assert_eq!(rects.len(), weights.len());
            for (index, (rect, weight)) in rects.iter().zip(&weights).enumerate() {
                let expected = BOUNDS.area() * *weight as f64 / total as f64;
                prop_assert!((rect.area() - expected).abs() < 1e-6 * BOUNDS.area(), "{rect:?} is not {expected}");
                prop_assert!(rect.x >= BOUNDS.x - 1e-6 && rect.y >= BOUNDS.y - 1e-6);
                prop_assert!(rect.x + rect.width <= BOUNDS.x + BOUNDS.width + 1e-6);
                prop_assert!(rect.y + rect.height <= BOUNDS.y + BOUNDS.height + 1e-6);
                for other in &rects[index + 1..] {
                    prop_assert!(overlap(*rect, *other) < 1e-3, "{rect:?} covers {other:?}");
                }
            }
        }
    }

    #[test]
    fn equal_weights_become_near_squares() {
        for rect in layout(&[1; 12], BOUNDS) {
            assert!((0.4..2.5).contains(&(rect.width / rect.height)), "{rect:?}");
        }
    }

    #[test]
    fn nothing_and_weightless_things_take_no_room() {
        assert_eq!(layout(&[], BOUNDS), []);
        assert!(layout(&[0, 0], BOUNDS).iter().all(|rect| rect.area() == 0.0));
        let mixed = layout(&[5, 0], BOUNDS);
        assert!((mixed[0].area() - BOUNDS.area()).abs() < 1e-6 && mixed[1].area() == 0.0);
    }

    #[test]
    fn a_margin_never_turns_a_rectangle_inside_out() {
        let thin = Rect { x: 0.0, y: 0.0, width: 3.0, height: 1.0 };
        assert_eq!(thin.without(2.0, 2.0, 2.0, 2.0).area(), 0.0);
    }
}
