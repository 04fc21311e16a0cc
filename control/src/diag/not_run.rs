//! Why an agent's host was not looked at, in words for whoever asked.

use secmon_wire::WireError;

use super::Areas;
use crate::dispatch::CallError;

/// Characters of what the network's libraries say about a connection.
const WHY_MAX: usize = 120;

/// Why there is no report. No word in it is the agent's own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRun {
    /// Its manifest allows no area at all.
    #[error("its manifest allows no diagnostics; list areas in it with `secmon manifest sign --record`")]
    NothingAllowed,
    /// Its manifest allows others.
    #[error("its manifest doesn't allow {asked}; it allows {allowed}")]
    NotAllowed { asked: Areas, allowed: Areas },
    /// The registry's copy of its manifest can't be read.
    #[error("what the registry knows of it is damaged; restore the database from a backup")]
    Damaged,
    /// Nobody listens, or there is no way.
    #[error("no connection: {0}")]
    NoConnection(String),
    /// Somebody listens who isn't this agent.
    #[error("what answers at its address is not this agent: {0}")]
    Stranger(String),
    /// It took too long.
    #[error("it didn't answer in time; the host may be overloaded")]
    TooLate,
    /// The answer was cut off.
    #[error("the connection broke off: {0}")]
    Broken(String),
    /// It looks already.
    #[error("it is being looked at already, or the last look has just failed; ask again in a few seconds")]
    Busy,
    /// The manifest on the host allows none of what the registry's does.
    #[error("the manifest on the server allows none of it; copy the registry's to it and restart the agent")]
    Refused,
    /// It knows no diagnostics, or not these.
    #[error("its agent knows no such diagnostics; update the agent")]
    TooOld,
    /// It answers, and not with a report.
    #[error("the agent answered with HTTP status {0}")]
    Status(u16),
    /// More bytes than a report has.
    #[error("the agent's answer is not valid: {0}")]
    NotAnAnswer(String),
    /// Bytes that are no report.
    #[error(
        "the agent's report is not valid ({0}); if it is newer than this control plane, update the control plane"
    )]
    NotAReport(WireError),
}

impl From<CallError> for NotRun {
    fn from(error: CallError) -> Self {
        match error {
            CallError::NotSent(why) if names_a_certificate(&why) => Self::Stranger(bounded(&why)),
            CallError::NotSent(why) => Self::NoConnection(bounded(&why)),
            CallError::TooLate => Self::TooLate,
            CallError::NoAnswer(why) => Self::Broken(bounded(&why)),
            CallError::Status { status: 503, .. } => Self::Busy,
            CallError::Status { status: 403, .. } => Self::Refused,
            CallError::Status { status: 400 | 404 | 405 | 501, .. } => Self::TooOld,
            CallError::Status { status, .. } => Self::Status(status),
            CallError::BadAnswer(why) => Self::NotAnAnswer(bounded(&why)),
        }
    }
}

/// The library says in words alone what failed in a handshake.
fn names_a_certificate(why: &str) -> bool {
    why.contains("certificate") || why.contains("corrupt message")
}

fn bounded(why: &str) -> String {
    let printable = why.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' });
    printable.take(WHY_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_says_what_to_do_or_what_happened() {
        let status = |status| CallError::Status { status, detail: " (evil)".to_owned() };
        for (error, words) in [
            (CallError::NotSent("Connection refused".to_owned()), "no connection: Connection refused"),
            (CallError::NotSent("invalid peer certificate: UnknownIssuer".to_owned()), "is not this agent"),
            (CallError::TooLate, "in time"),
            (CallError::NoAnswer("connection closed".to_owned()), "broke off: connection closed"),
            (status(503), "being looked at already"),
            (status(404), "update the agent"),
            (status(400), "update the agent"),
            (status(403), "the manifest on the server allows none of it"),
            (status(500), "HTTP status 500"),
            (CallError::BadAnswer("longer than 5 bytes".to_owned()), "not valid: longer than 5 bytes"),
        ] {
            let said = NotRun::from(error).to_string();
            assert!(said.contains(words) && !said.contains("evil"), "{said}");
        }
    }

    #[test]
    fn what_a_library_says_is_bounded_and_printable() {
        let NotRun::NoConnection(why) = CallError::NotSent("\u{1b}é\n".repeat(500)).into() else {
            panic!("no connection")
        };
        assert_eq!(why.len(), WHY_MAX);
        assert!(why.chars().all(|c| c == '?'));
    }
}
