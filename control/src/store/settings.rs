//! Single values.

use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError};

const TELEGRAM_OFFSET: &str = "telegram-offset";

impl Store {
    /// The id of the first Telegram update that wasn't handled yet.
    pub fn telegram_offset(&self) -> Result<i64, StoreError> {
        let offset = self
            .connection()
            .query_row("SELECT value FROM setting WHERE name = ?1", [TELEGRAM_OFFSET], |row| row.get(0))
            .optional()?;
        Ok(offset.unwrap_or(0))
    }

    /// Remembers how far updates were handled.
    pub fn set_telegram_offset(&self, offset: i64) -> Result<(), StoreError> {
        self.connection().execute(
            "INSERT OR REPLACE INTO setting (name, value) VALUES (?1, ?2)",
            params![TELEGRAM_OFFSET, offset],
        )?;
        Ok(())
    }
}
