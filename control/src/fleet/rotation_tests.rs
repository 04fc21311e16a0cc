use secmon_wire::ClientId;

use super::*;
use crate::cloudflare::{Plan, ZoneId};
use crate::fleet::RegistryError;
use crate::fleet::init::{FromEnvironment, NewTotp, init};
use crate::store::{SeenZone, ZoneRow};

const NOW: u64 = 1_767_225_600;
const TOKEN: &str = "cfut_hunter2hunter2hunter2hunter2hunter20a1b2c3d";

struct Place {
    _home: tempfile::TempDir,
    data: DataDir,
    store: Store,
}

impl Place {
    /// A data directory with two zones, whose tokens are encrypted with its key.
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let data = DataDir::new(home.path().join("data"));
        init(&data, FromEnvironment::default(), NewTotp::Leave, NOW).expect("made");
        let store = Store::open(&data.database()).expect("a store");
        let client = ClientId::new("acme").expect("a client");
        store.add_client(&client, NOW).expect("added");
        let place = Self { _home: home, data, store };
        for digit in ["a", "b"] {
            let token = Secret::new(TOKEN.to_owned());
            let seen = SeenZone {
                name: format!("{digit}.example"),
                plan: Plan::Free,
                status: "active".to_owned(),
                paused: false,
                checked: NOW,
            };
            let row = ZoneRow {
                zone: ZoneId::new(&digit.repeat(32)).expect("a zone"),
                client: client.clone(),
                credential: Vault::new(place.keys()).seal(&token, NOW).expect("sealed"),
                added: NOW,
                seen,
            };
            let put = place.store.put_zone(&row, |_| Ok::<(), RegistryError>(())).expect("stored");
            assert_eq!(put, crate::store::Put::Added);
        }
        place
    }

    fn keys(&self) -> DataKeys {
        read(&self.data.env_file()).expect("keys")
    }

    fn rotate(&self) -> Result<Rotated, RotateError> {
        rotate(&self.data, &self.data.env_file(), &self.store, NOW)
    }

    /// Whether a control plane that starts now can open everything.
    fn opens(&self) -> bool {
        let (vault, zones) = (Vault::new(self.keys()), self.store.zones().expect("zones"));
        zones.len() == 2
            && zones.iter().all(|zone| vault.open(zone).is_ok_and(|token| token.expose() == TOKEN))
    }
}

#[test]
fn the_new_key_opens_everything_and_the_old_one_nothing() {
    let place = Place::new();
    let (old, before) = (place.keys(), std::fs::read_to_string(place.data.env_file()).expect("settings"));
    assert_eq!(place.rotate().expect("rotated"), Rotated { credentials: 2, finished: false });
    assert!(place.opens());
    let new = place.keys();
    assert!(new.older().is_empty() && new.newest() != old.newest());
    Vault::new(old.clone()).check(&place.store.zones().expect("zones")).expect_err("the old key");
    let after = std::fs::read_to_string(place.data.env_file()).expect("settings");
    assert_eq!(after.replace(new.to_text().expose(), old.to_text().expose()), before, "nothing else changed");
}

/// What a kill leaves behind: both keys and old credentials, both keys and new ones. There is nothing in between: the credentials
/// change in one transaction.
#[test]
fn whatever_a_killed_rotation_left_opens_and_is_finished_by_the_next() {
    for resealed in [false, true] {
        let place = Place::new();
        let old = place.keys();
        let both = old.clone().with_newer(new_key().expect("a key"));
        write(&place.data.env_file(), &both).expect("written");
        assert!(place.opens());
        if resealed {
            reseal(&place.store, &both, NOW).expect("resealed");
            assert!(place.opens());
        }
        assert_eq!(place.rotate().expect("finished"), Rotated { credentials: 2, finished: true });
        assert!(place.opens());
        assert_eq!(place.keys(), DataKeys::one(both.newest().clone()));
    }
}

#[test]
fn a_database_that_fails_leaves_both_keys_in_the_settings() {
    let place = Place::new();
    let trigger = "CREATE TRIGGER full BEFORE UPDATE ON cloudflare_zone WHEN old.zone LIKE 'b%'
                   BEGIN SELECT RAISE(ABORT, 'full'); END";
    let database = rusqlite::Connection::open(place.data.database()).expect("a database");
    database.execute_batch(trigger).expect("a trigger");
    let old = place.keys();
    assert!(matches!(place.rotate(), Err(RotateError::Store(_))));
    assert_eq!(place.keys().older(), [old.newest().clone()]);
    assert!(place.opens());
    database.execute_batch("DROP TRIGGER full").expect("no trigger");
    assert!(place.rotate().expect("finished").finished);
    assert!(place.opens());
}

#[test]
fn a_key_that_opens_nothing_is_not_rotated() {
    let place = Place::new();
    let other = DataKeys::one(new_key().expect("a key"));
    write(&place.data.env_file(), &other).expect("written");
    let error = place.rotate().expect_err("another key").to_string();
    assert!(error.contains("the stored token of a.example doesn't open"), "{error}");
    assert!(!error.contains(other.to_text().expose()));
    assert_eq!(place.keys(), other);
}

#[test]
fn two_rotations_never_run_at_once() {
    let place = Place::new();
    let running = File::open(place.data.as_path()).expect("a directory");
    running.lock().expect("locked");
    let before = place.keys();
    assert!(matches!(place.rotate(), Err(RotateError::Running { .. })));
    assert_eq!(place.keys(), before);
    drop(running);
    place.rotate().expect("rotated");
}
