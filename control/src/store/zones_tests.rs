use super::*;

const NOW: u64 = 1_767_225_600;

fn store() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().expect("a directory");
    let store = Store::open(&directory.path().join("secmon.db")).expect("a store");
    for client in ["acme", "zoo"] {
        store.add_client(&ClientId::new(client).expect("a client"), NOW).expect("added");
    }
    (directory, store)
}

fn row(client: &str, digit: &str, credential: &str) -> ZoneRow {
    ZoneRow {
        zone: ZoneId::new(&digit.repeat(32)).expect("a zone"),
        client: ClientId::new(client).expect("a client"),
        credential: credential.to_owned(),
        added: NOW,
        seen: SeenZone {
            name: format!("{digit}.example"),
            plan: Plan::Pro,
            status: "active".to_owned(),
            paused: false,
            checked: NOW,
        },
    }
}

fn put(store: &Store, row: &ZoneRow) -> Result<Put, RegistryError> {
    store.put_zone(row, |_| Ok(()))
}

#[test]
fn a_zone_reads_back_and_a_new_token_keeps_what_is_spared() {
    let (_directory, store) = store();
    let mut first = row("acme", "a", "one");
    assert_eq!(put(&store, &first).expect("added"), Put::Added);
    assert_eq!(put(&store, &row("zoo", "b", "two")).expect("added"), Put::Added);
    let spared = [("origin", "203.0.113.5"), ("path", "/hook/"), ("probe", "/"), ("range", "192.0.2.0/24")]
        .map(|(kind, value)| Spared::new(kind, value).expect(value));
    store.spare(&first.zone, &spared).expect("spared");
    store.spare(&first.zone, &spared[..1]).expect("spared again");

    first.credential = "three".to_owned();
    assert_eq!(put(&store, &first).expect("renewed"), Put::Renewed);
    assert_eq!(store.zone(&first.zone).expect("a query"), Some(first.clone()));
    assert_eq!(store.spared(&first.zone).expect("a query"), spared);
    assert_eq!(store.spare_no_longer(&first.zone, &spared[..2]).expect("a query"), 2);
    assert_eq!(store.spare_no_longer(&first.zone, &spared[..2]).expect("a query"), 0);
    assert_eq!(store.spared(&first.zone).expect("a query"), spared[2..]);

    let clients: Vec<_> = store.zones().expect("zones").iter().map(|row| row.client.to_string()).collect();
    assert_eq!(clients, ["acme", "zoo"]);
    assert_eq!(store.zones_of(&first.client).expect("zones"), [first.clone()]);
    store.remove_zone(&first).expect("removed");
    assert_eq!(store.zone(&first.zone).expect("a query"), None);
    put(&store, &first).map(|put| assert_eq!(put, Put::Added)).expect("added");
    assert_eq!(store.spared(&first.zone).expect("a query"), []);
}

#[test]
fn a_zone_belongs_to_one_client_that_exists() {
    let (_directory, store) = store();
    put(&store, &row("acme", "a", "one")).map(|_| ()).expect("added");
    let error = put(&store, &row("zoo", "a", "two")).expect_err("taken").to_string();
    assert!(error.starts_with("the zone a.example belongs to the client acme already"), "{error}");
    assert!(matches!(put(&store, &row("nobody", "c", "one")), Err(RegistryError::NoClient(_))));
    assert_eq!(store.zones().expect("zones")[0].credential, "one");
}

#[test]
fn nothing_is_stored_beside_a_credential_that_does_not_open() {
    let (_directory, store) = store();
    put(&store, &row("acme", "a", "of another key")).map(|_| ()).expect("added");
    let opens = |row: &ZoneRow| match row.credential.as_str() {
        "of another key" => Err(RegistryError::NoClient(row.client.clone())),
        _ => Ok(()),
    };
    store.put_zone(&row("acme", "b", "new"), opens).expect_err("refused");
    assert_eq!(store.zones().expect("zones").len(), 1);
    // The one that doesn't open is replaced by its own new token.
    assert_eq!(store.put_zone(&row("acme", "a", "new"), opens).expect("renewed"), Put::Renewed);
}

#[test]
fn all_credentials_are_sealed_anew_or_none() {
    let (_directory, store) = store();
    put(&store, &row("acme", "a", "one")).map(|_| ()).expect("added");
    put(&store, &row("acme", "b", "two")).map(|_| ()).expect("added");
    let fails = |row: &ZoneRow| match row.credential.as_str() {
        "two" => Err(StoreError::Damaged("credential")),
        other => Ok(format!("new {other}")),
    };
    store.reseal(fails).expect_err("one fails");
    let credentials =
        || store.zones().expect("zones").into_iter().map(|row| row.credential).collect::<Vec<_>>();
    assert_eq!(credentials(), ["one", "two"]);
    let count = store.reseal(|row| Ok::<_, StoreError>(format!("new {}", row.credential))).expect("resealed");
    assert_eq!((count, credentials()), (2, vec!["new one".to_owned(), "new two".to_owned()]));
}

#[test]
fn what_the_api_says_later_is_remembered() {
    let (_directory, store) = store();
    let added = row("acme", "a", "one");
    put(&store, &added).map(|_| ()).expect("added");
    let seen = SeenZone { plan: Plan::Business, paused: true, checked: NOW + 5, ..added.seen.clone() };
    store.saw_zone(&added.zone, &seen).expect("remembered");
    assert_eq!(store.zone(&added.zone).expect("a query"), Some(ZoneRow { seen, ..added }));
}
