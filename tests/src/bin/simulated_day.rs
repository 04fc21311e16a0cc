//! Prints what automatic dispatch makes of days of visits: `simulated_day [DIRECTORY]`, where the directory holds
//! recorded logs. Days that are made up come in any case.

use std::path::PathBuf;

use secmon_control::cloudflare::Plan;
use secmon_tests::day::{Figures, crowd, floods, recorded_days};

fn main() {
    let recorded = std::env::args_os().nth(1).map(PathBuf::from).map(|directory| recorded_days(&directory));
    let days = recorded.unwrap_or_default().into_iter().chain(floods()).chain([crowd()]);
    println!("{}", Figures::HEAD);
    for day in days {
        println!("{}", day.replay(Plan::Free));
    }
}
