//! The picture is well-formed, and stays inside its page.

use super::*;
use crate::baseline::Baseline;
use crate::dependencies::Difference;
use crate::report::Weighed;
use crate::targets::{Pie, Target};
use crate::weigh::{Kind, Named, Part, Weight};

fn target(bytes: u64) -> Weighed {
    let part = |name: &str, kind, code, data| Part {
        name: String::from(name),
        kind,
        code,
        data,
        bytes: code + data,
    };
    let mut parts: Vec<Part> =
        (0_u64..14).map(|index| part(&format!("crate{index}"), Kind::Owner, 5_000 + index, 100)).collect();
    parts.push(part("unwind tables", Kind::Format, 0, 9_000));
    let symbols = ["<a::B<'x> as c::D>::\"e\" & f", "crate0::g"].map(|name| Named {
        name: name.into(),
        owner: "crate0".into(),
        code: true,
        bytes: 2_000,
        instances: 1,
    });
    let weight = Weight { bytes, parts, symbols: symbols.into(), ..Weight::default() };
    let target = Target {
        triple: "x86_64-unknown-linux-musl".into(),
        uname: vec!["x86_64".into()],
        cpu: "any".into(),
        budget: 1_400_000,
        pie: Pie::Independent,
    };
    Weighed::new(&target, weight, &Baseline::default())
}

fn draw(targets: Vec<Weighed>) -> String {
    render(&Report::new(targets, vec!["i686-unknown-linux-musl".into()], Difference::default()))
}

/// The numbers of an attribute in every rectangle.
fn numbers(svg: &str, name: &str) -> Vec<f64> {
    let pattern = format!(" {name}=\"");
    let lines = svg.lines().filter(|line| line.contains("class=\"edge\""));
    lines.filter_map(|line| line.split(&pattern).nth(1)?.split('"').next()?.parse().ok()).collect()
}

#[test]
fn names_are_escaped_and_nothing_runs_or_is_fetched() {
    let svg = draw(vec![target(79_071)]);
    assert!(svg.contains("&lt;a::B&lt;'x&gt; as c::D&gt;::&quot;e&quot; &amp; f"));
    assert!(!svg.contains("<script") && !svg.contains("href") && !svg.contains(" on"));
    let opened = svg.matches("<g>").count();
    assert_eq!(opened, svg.matches("</g>").count());
}

#[test]
fn tiles_stay_inside_the_page() {
    let svg = draw(vec![target(79_071), target(2_500_000)]);
    let (x, width) = (numbers(&svg, "x"), numbers(&svg, "width"));
    assert!(x.len() > 30, "only {} tiles", x.len());
    assert!(x.iter().zip(&width).all(|(x, width)| *x >= 0.0 && x + width <= WIDTH));
}

#[test]
fn a_target_over_its_budget_stands_out() {
    assert!(draw(vec![target(1_400_001)]).contains("class=\"bad\""));
    assert!(!draw(vec![target(1_400_000)]).contains("class=\"bad\""));
}

#[test]
fn a_report_without_targets_is_still_a_picture() {
    assert!(draw(Vec::new()).contains("not built"));
}
