//! `secmon demo`: the real agent, the real control plane and a small real service in a throw-away
//! directory. At a terminal it stays interactive; without one it plays a tour and checks every step of it.

mod service;
mod stage;
mod tour;

use std::io::IsTerminal;
use std::path::PathBuf;

pub use service::serve as serve_demo_service;
use stage::Stage;

/// What a demonstration is run with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The agent's binary; without one, the one beside this program or in the search path.
    pub agent: Option<PathBuf>,
    /// Play the tour even at a terminal.
    pub tour: bool,
}

/// Why a demonstration failed.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A file or process of the demonstration.
    #[error("{what}: {source}")]
    Io { what: String, source: std::io::Error },
    /// The agent's binary isn't there.
    #[error(
        "no secmon-agent beside this program or in PATH; build it (`cargo build -p secmon-agent`) or name it with --agent"
    )]
    NoAgent,
    /// A step didn't do what the tour says that it does.
    #[error("{step}: expected {expected:?} in:\n{found}")]
    Unexpected { step: &'static str, expected: String, found: String },
}

/// Runs the demonstration.
pub fn run(options: &Options) -> Result<(), DemoError> {
    let stage = Stage::set(options.agent.clone())?;
    if options.tour || !std::io::stdin().is_terminal() { tour::play(stage) } else { stage.interact() }
}

/// Names what an IO error happened to.
fn at(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> DemoError {
    let what = what.into();
    move |source| DemoError::Io { what, source }
}
