//! Claims: a TOTP step per operator and a nonce, once, for ever, in one transaction.

use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};

use super::{Store, StoreError, from_sql, to_sql};
use crate::approval::{Claim, ClaimVerdict, Claims, CodeVerdict, Operator};

/// Wrong codes within the window that lock an operator out.
const WRONG_CODES_MAX: u64 = 5;
/// The window in which they are counted, in seconds.
const WRONG_CODES_WINDOW_S: u64 = 900;
/// How long a lockout lasts, in seconds.
const LOCKOUT_S: u64 = 900;

impl Claims for Store {
    type Error = StoreError;

    fn claim(&self, claim: &Claim<'_>) -> Result<ClaimVerdict, StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let verdict = decide(&transaction, claim)?;
        match verdict {
            // A wrong code has been counted, and that must last.
            ClaimVerdict::Claimed | ClaimVerdict::WrongCode => transaction.commit()?,
            // A used nonce leaves the code's step unclaimed, and the other way round.
            ClaimVerdict::LockedOut { .. } | ClaimVerdict::StepUsed | ClaimVerdict::NonceUsed => {
                transaction.rollback()?;
            }
        }
        Ok(verdict)
    }
}

fn decide(transaction: &Transaction<'_>, claim: &Claim<'_>) -> Result<ClaimVerdict, StoreError> {
    if claim.code.is_some()
        && let Some(until) = lockout(transaction, claim.operator)?
        && until > claim.now
    {
        return Ok(ClaimVerdict::LockedOut { until });
    }
    match claim.code {
        None => {}
        Some(CodeVerdict::Wrong) => {
            count_wrong_code(transaction, claim.operator, claim.now)?;
            return Ok(ClaimVerdict::WrongCode);
        }
        Some(CodeVerdict::Right { step }) => {
            let claimed = transaction.execute(
                "INSERT OR IGNORE INTO totp_step (operator, step, claimed_at) VALUES (?1, ?2, ?3)",
                params![claim.operator.0, to_sql(step)?, to_sql(claim.now)?],
            )?;
            if claimed == 0 {
                return Ok(ClaimVerdict::StepUsed);
            }
        }
    }
    let claimed = transaction.execute(
        "INSERT OR IGNORE INTO nonce (nonce, operator, claimed_at) VALUES (?1, ?2, ?3)",
        params![claim.nonce.0, claim.operator.0, to_sql(claim.now)?],
    )?;
    if claimed == 0 {
        return Ok(ClaimVerdict::NonceUsed);
    }
    transaction.execute(
        "INSERT INTO pending (nonce, operator, action, client, transport, chat, claimed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            claim.nonce.0,
            claim.operator.0,
            claim.action.as_str(),
            claim.client.as_str(),
            claim.transport.as_str(),
            claim.chat.0,
            to_sql(claim.now)?,
        ],
    )?;
    Ok(ClaimVerdict::Claimed)
}

fn lockout(transaction: &Transaction<'_>, operator: Operator) -> Result<Option<u64>, StoreError> {
    let until = transaction
        .query_row("SELECT until FROM lockout WHERE operator = ?1", [operator.0], |row| row.get(0))
        .optional()?;
    until.map(from_sql).transpose()
}

fn count_wrong_code(transaction: &Transaction<'_>, operator: Operator, now: u64) -> Result<(), StoreError> {
    let window = to_sql(now.saturating_sub(WRONG_CODES_WINDOW_S))?;
    transaction.execute("DELETE FROM totp_failure WHERE failed_at <= ?1", [window])?;
    transaction.execute(
        "INSERT INTO totp_failure (operator, failed_at) VALUES (?1, ?2)",
        params![operator.0, to_sql(now)?],
    )?;
    let wrong: i64 = transaction.query_row(
        "SELECT count(*) FROM totp_failure WHERE operator = ?1",
        [operator.0],
        |row| row.get(0),
    )?;
    if from_sql(wrong)? >= WRONG_CODES_MAX {
        transaction.execute(
            "INSERT OR REPLACE INTO lockout (operator, until) VALUES (?1, ?2)",
            params![operator.0, to_sql(now.saturating_add(LOCKOUT_S))?],
        )?;
        transaction.execute("DELETE FROM totp_failure WHERE operator = ?1", [operator.0])?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
