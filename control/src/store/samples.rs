//! What was counted on hosts, for the next look to be compared with.

use rusqlite::{TransactionBehavior, params};
use secmon_wire::diag::{CounterId, Counters};
use secmon_wire::{AgentId, OutcomeState, Receipt};

use super::{Store, StoreError, from_sql, to_sql};
use crate::diag::{OwnRestart, Sample, superfluous};

impl Store {
    /// What was counted on a host, newest first.
    pub fn samples(&self, agent: &AgentId) -> Result<Vec<Sample>, StoreError> {
        let connection = self.connection();
        let mut query = connection.prepare_cached(
            "SELECT taken, boot, counters FROM sample WHERE agent = ?1 ORDER BY taken DESC",
        )?;
        let rows = query.query_map([agent.as_str()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get::<_, String>(2)?))
        })?;
        rows.map(|row| {
            let (taken, boot, counters) = row?;
            Ok(Sample { taken: from_sql(taken)?, boot, counters: read_counters(&counters)? })
        })
        .collect()
    }

    /// Keeps a sample, and drops what it makes superfluous.
    pub fn keep_sample(&self, agent: &AgentId, sample: &Sample) -> Result<(), StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute(
            "INSERT OR REPLACE INTO sample (agent, taken, boot, counters) VALUES (?1, ?2, ?3, ?4)",
            params![agent.as_str(), to_sql(sample.taken)?, sample.boot, write_counters(&sample.counters)],
        )?;
        let mut times = Vec::new();
        {
            let mut query =
                transaction.prepare("SELECT taken FROM sample WHERE agent = ?1 ORDER BY taken DESC")?;
            for taken in query.query_map([agent.as_str()], |row| row.get::<_, i64>(0))? {
                times.push(from_sql(taken?)?);
            }
        }
        for taken in superfluous(&times, sample.taken) {
            transaction.execute(
                "DELETE FROM sample WHERE agent = ?1 AND taken = ?2",
                params![agent.as_str(), to_sql(taken)?],
            )?;
        }
        Ok(transaction.commit()?)
    }

    /// The restarts of an agent that operators approved and that ran since then, well or not.
    pub fn restarts_since(&self, agent: &AgentId, since: u64) -> Result<Vec<OwnRestart>, StoreError> {
        let connection = self.connection();
        let mut query = connection
            .prepare_cached("SELECT stored_at, body FROM receipt WHERE agent = ?1 AND stored_at >= ?2")?;
        let rows = query.query_map(params![agent.as_str(), to_sql(since)?], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))
        })?;
        let mut restarts = Vec::new();
        for row in rows {
            let (at, body) = row?;
            let receipt = Receipt::read(&body).map_err(|_| StoreError::Damaged("receipt"))?;
            if receipt.state != OutcomeState::Refused {
                let (at, operation) = (from_sql(at)?, receipt.action);
                restarts.push(OwnRestart { at, operation, unit: receipt.unit });
            }
        }
        Ok(restarts)
    }
}

fn write_counters(counters: &Counters) -> String {
    let list: Vec<(&str, &str, u64)> =
        counters.iter().map(|counter| (counter.id.as_str(), counter.key.as_str(), counter.value)).collect();
    serde_json::json!(list).to_string()
}

/// A counter that this version doesn't know is nothing to compare with.
fn read_counters(text: &str) -> Result<Counters, StoreError> {
    let list: Vec<(String, String, u64)> =
        serde_json::from_str(text).map_err(|_| StoreError::Damaged("sample"))?;
    let mut counters = Counters::new();
    for (id, key, value) in list {
        let _added = CounterId::new(&id).map(|id| counters.add(id, &key, value));
    }
    Ok(counters)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_767_225_600;

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(&directory.path().join("secmon.db")).expect("a store");
        let rows = "INSERT INTO client VALUES ('acme', 0);
            INSERT INTO agent VALUES ('web1', 'acme', 'localhost:1', x'', 0, x'', 0)";
        store.connection().execute_batch(rows).expect("an agent");
        (directory, store)
    }

    fn web1() -> AgentId {
        AgentId::new("web1").expect("an id")
    }

    fn sample(taken: u64, value: u64) -> Sample {
        let mut counters = Counters::new();
        assert!(counters.add(CounterId::DiskFree, "/var", value));
        assert!(counters.add(CounterId::OomKills, "", 0));
        Sample { taken, boot: [7; 16], counters }
    }

    #[test]
    fn samples_come_back_newest_first_and_as_they_were() {
        let (_directory, store) = store();
        for (taken, value) in [(NOW, 1), (NOW + 3_600, 2), (NOW + 7_200, u64::MAX)] {
            store.keep_sample(&web1(), &sample(taken, value)).expect("kept");
        }
        let kept = store.samples(&web1()).expect("samples");
        assert_eq!(kept, [sample(NOW + 7_200, u64::MAX), sample(NOW + 3_600, 2), sample(NOW, 1)]);
        store.keep_sample(&web1(), &sample(NOW + 7_200, 3)).expect("replaced");
        assert_eq!(store.samples(&web1()).expect("samples").first(), Some(&sample(NOW + 7_200, 3)));
    }

    #[test]
    fn old_samples_go_and_those_of_others_stay() {
        let (_directory, store) = store();
        let other = "INSERT INTO agent VALUES ('web2', 'acme', 'localhost:2', x'', 0, x'', 0)";
        store.connection().execute_batch(other).expect("an agent");
        let web2 = AgentId::new("web2").expect("an id");
        store.keep_sample(&web2, &sample(NOW, 1)).expect("kept");
        for second in 0..500 {
            store.keep_sample(&web1(), &sample(NOW + second, 1)).expect("kept");
        }
        store.keep_sample(&web1(), &sample(NOW + 30 * 86_400, 1)).expect("kept");
        assert_eq!(store.samples(&web1()).expect("samples").len(), 1);
        assert_eq!(store.samples(&web2).expect("samples").len(), 1);
    }

    #[test]
    fn a_counter_of_another_version_is_left_out_and_garbage_is_damage() {
        let (_directory, store) = store();
        let put = |counters: &str| {
            let row = "INSERT OR REPLACE INTO sample VALUES ('web1', 1, zeroblob(16), ?1)";
            store.connection().execute(row, [counters]).expect("a row");
        };
        put(r#"[["of-tomorrow","",1],["oom-kills","",2]]"#);
        let kept = store.samples(&web1()).expect("samples");
        assert_eq!(kept[0].counters.iter().count(), 1);
        assert_eq!(kept[0].counters.get(CounterId::OomKills, ""), Some(2));
        put("[");
        assert!(matches!(store.samples(&web1()), Err(StoreError::Damaged("sample"))));
    }
}
