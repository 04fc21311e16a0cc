//! A ready approval line: what `/prepare` writes, and how a six-digit answer completes it.

use secmon_wire::{ActionId, ClientId, Nonce};

use super::Otp;

/// An approval line that lacks at most its code.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// What is to be approved.
    pub action: ActionId,
    /// For whom.
    pub client: ClientId,
    /// A fresh one-time number.
    pub nonce: Nonce,
    /// Now.
    pub ts: u64,
}

impl Prepared {
    /// The line, with `otp=` left to fill where codes are configured.
    pub fn line(&self, with_otp: bool) -> String {
        let Self { action, client, nonce, ts } = self;
        let otp = if with_otp { " otp=" } else { "" };
        format!("APPROVE: {action} {client}{otp} nonce={nonce} ts={ts}")
    }

    /// The prepared line in the text of one of our messages, completed with the code that `answer` is.
    pub(super) fn fill(message: &str, answer: &str) -> Option<String> {
        let digits = answer.trim_matches(|c: char| c.is_ascii_whitespace());
        Otp::new(digits)?;
        let line = message.lines().find(|line| line.starts_with("APPROVE: ") && line.contains(" otp= "))?;
        Some(line.replacen(" otp= ", &format!(" otp={digits} "), 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::Words;

    fn prepared() -> Prepared {
        Prepared {
            action: ActionId::RestartWeb,
            client: ClientId::new("acme").expect("an id"),
            nonce: Nonce::new("9f2c41d07be83a55").expect("a nonce"),
            ts: 1_767_225_600,
        }
    }

    #[test]
    fn a_prepared_line_without_codes_is_an_approval() {
        assert!(Words::parse(&prepared().line(false)).is_ok());
    }

    #[test]
    fn six_digits_complete_the_line_and_nothing_else_does() {
        let message = format!("Fill in the code:\n{}\nand send it.", prepared().line(true));
        let line = Prepared::fill(&message, " 123456\n").expect("a line");
        assert_eq!(line, "APPROVE: restart-web acme otp=123456 nonce=9f2c41d07be83a55 ts=1767225600");
        assert!(Words::parse(&line).is_ok());
        for answer in ["12345", "1234567", "12345a", "yes", "１２３４５６", ""] {
            assert_eq!(Prepared::fill(&message, answer), None, "{answer}");
        }
        assert_eq!(Prepared::fill("no line here", "123456"), None);
        assert_eq!(Prepared::fill(&prepared().line(false), "123456"), None);
    }
}
