//! Zones at Cloudflare: their tokens, what is spared in them, and the key that the tokens are encrypted with.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use secmon_fake_cloudflare::{
    DEFAULT_ZONE as ZONE, Edit, FakeCloudflare, NewZone, Options, Permission, Plan, Token,
};

use crate::place::{Place, Ran, text};

const TOKEN: &str = "cfut_hunter2hunter2hunter2hunter2hunter20a1b2c3d";

/// A zone on the Pro plan, and a token for it.
fn fake() -> FakeCloudflare {
    let zones = vec![NewZone::new(ZONE, "example.com").on(Plan::Pro)];
    FakeCloudflare::start(Options { zones, tokens: vec![Token::new(TOKEN)], ..Options::default() })
}

fn revoke(api: &FakeCloudflare) {
    api.edit(&Edit::RemoveToken { secret: TOKEN.to_owned() });
}

impl Place {
    /// Runs a command that asks this API.
    fn ask(&self, api: &FakeCloudflare, arguments: &[&str]) -> Ran {
        self.run_with(arguments, &[("SECMON_CLOUDFLARE_API_URL", &api.url())])
    }

    /// A file with a token, and `secmon cloudflare add` of it.
    fn add_zone(&self, api: &FakeCloudflare, token: &str) -> Ran {
        let file = self.path("token");
        fs::write(&file, format!("{token}\n")).expect("a file");
        let ran = self.ask(api, &["cloudflare", "add", "acme", ZONE, "--token-file", text(&file)]);
        fs::remove_file(&file).expect("removed");
        ran
    }

    fn data_key(&self) -> String {
        let settings = self.settings();
        settings.lines().find_map(|line| line.strip_prefix("SECMON_DATA_KEY=")).expect("a key").to_owned()
    }

    /// Puts another value into the settings.
    fn set_data_key(&self, key: &str) {
        let settings = self.settings().replace(&self.data_key(), key);
        fs::write(self.data().join("secmon.env"), settings).expect("written");
    }

    /// Everything in the data directory, as one text.
    fn stored(&self) -> String {
        let files = fs::read_dir(self.data()).expect("entries").filter_map(Result::ok);
        let bytes = files.filter_map(|file| Some((file.file_name(), fs::read(file.path()).ok()?)));
        bytes.map(|(name, bytes)| format!("{name:?} {}", String::from_utf8_lossy(&bytes))).collect()
    }
}

#[test]
fn a_zone_is_added_listed_checked_protected_and_removed() {
    let (place, api) = (Place::ready(), fake());
    let said = place.add_zone(&api, TOKEN).succeeded().out;
    assert!(
        said.starts_with("Added example.com (pro plan) of acme.\nNext: secmon cloudflare protect acme"),
        "{said}"
    );
    assert!(!place.stored().contains("hunter2"), "the token is stored in the clear");
    let said = place.add_zone(&api, TOKEN).succeeded().out;
    assert_eq!(said, "example.com (pro plan) of acme has the new token.\n");

    let line = format!("acme  example.com  {ZONE}  pro  active  0 protected\n");
    assert_eq!(place.ask(&api, &["cloudflare", "list"]).succeeded().out, line);
    let checked = place.ask(&api, &["cloudflare", "check", "acme"]).succeeded().out;
    assert_eq!(checked, "ok    acme example.com: pro plan; its token works\n");
    assert!(place.ask(&api, &["cloudflare", "check", "--json"]).succeeded().out.contains(r#""plan":"pro""#));

    let protect = ["cloudflare", "protect", "acme", "example.com"];
    assert_eq!(place.run(&protect).succeeded().out, "Nothing is protected in example.com.\n");
    let options = ["--range", "192.0.2.0/24", "--path", "/hook/", "--origin", "203.0.113.5", "--probe", "/"];
    let all = "origin 203.0.113.5\npath /hook/\nprobe /\nrange 192.0.2.0/24\n";
    assert_eq!(place.run(&[&protect[..], &options].concat()).succeeded().out, all);
    let listed = place.run(&["cloudflare", "list", "--json"]).succeeded().out;
    assert!(
        listed.contains(r#""ranges":["192.0.2.0/24"]"#) && listed.contains(r#""probes":["/"]"#),
        "{listed}"
    );
    place
        .run(&["cloudflare", "protect", "acme", ZONE, "--path", "/other/", "--remove"])
        .misused("nothing was removed");
    let left =
        place.run(&["cloudflare", "protect", "acme", ZONE, "--path", "/hook/", "--remove"]).succeeded().out;
    assert!(!left.contains("/hook/") && left.lines().count() == 3, "{left}");
    for (option, value, why) in [
        ("--range", "office", "expected an address or a network"),
        ("--path", "/", "a path other than /"),
        ("--probe", "http://example.com/", "https://HOST/PATH"),
        ("--probe", "https://example.org/", "is not in example.com"),
    ] {
        place.run(&[&protect[..], &[option, value]].concat()).misused(why);
    }

    place.run(&["cloudflare", "remove", "acme", "example.org"]).refused(&["acme has no zone example.org"]);
    place.run(&["cloudflare", "remove", "nobody", "example.com"]).refused(&["there is no client nobody"]);
    place.run(&["cloudflare", "remove", "acme", "EXAMPLE.com"]).succeeded();
    assert_eq!(place.run(&["cloudflare", "list"]).succeeded().out, "");
    assert!(!place.printed.borrow().contains("hunter2"));
}

#[test]
fn the_token_comes_from_standard_input_and_never_from_the_command_line() {
    let (place, api) = (Place::ready(), fake());
    let mut command = Command::new(env!("CARGO_BIN_EXE_secmon"));
    command.args(["cloudflare", "add", "acme", ZONE]).env_clear().env("SECMON_DATA_DIR", place.data());
    command.env("SECMON_CLOUDFLARE_API_URL", api.url());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("secmon");
    child.stdin.take().expect("a pipe").write_all(TOKEN.as_bytes()).expect("written");
    Ran::from(child.wait_with_output().expect("an end")).succeeded();
    assert_eq!(place.run(&["cloudflare", "list"]).succeeded().out.lines().count(), 1);
    place.run(&["cloudflare", "add", "acme", ZONE, TOKEN]).misused("unexpected argument");
}

#[test]
fn what_is_no_good_token_is_refused_with_what_to_do_and_not_stored() {
    let (place, api) = (Place::ready(), fake());
    place
        .add_zone(&api, "c2547eb745079dac9320b638f5e225cf483cc")
        .refused(&["a global API key", "Create Custom Token"]);
    place.add_zone(&api, &TOKEN.replace("cfut_", "cfk_")).refused(&["a global API key"]);
    place.add_zone(&api, "hunter2").refused(&["not an API token"]);
    place.add_zone(&api, "").refused(&["no API token came"]);
    let absent = ["cloudflare", "add", "acme", ZONE, "--token-file", "absent"];
    place.ask(&api, &absent).refused(&["absent: No such file"]);
    place.ask(&api, &["cloudflare", "add", "nobody", ZONE]).refused(&["there is no client nobody"]);
    place.ask(&api, &["cloudflare", "add", "acme", "example.com"]).misused("32 hexadecimal digits");

    revoke(&api);
    place.add_zone(&api, TOKEN).refused(&["doesn't take the API token"]);
    let without_waf = [Permission::ZoneRead, Permission::SettingsWrite, Permission::FirewallWrite];
    api.add_token(Token::new(TOKEN).with(&without_waf));
    place
        .add_zone(&api, TOKEN)
        .refused(&["lacks the permission Zone / Zone WAF / Edit", "it was not stored"]);
    let nobody = [("SECMON_CLOUDFLARE_API_URL", "http://127.0.0.1:9")];
    fs::write(place.path("token"), TOKEN).expect("a file");
    let add = ["cloudflare", "add", "acme", ZONE, "--token-file", "token"];
    place.run_with(&add, &nobody).refused(&["can't be reached: no connection"]);
    let clear = [("SECMON_CLOUDFLARE_API_URL", "http://api.example")];
    place.run_with(&add, &clear).refused(&["SECMON_CLOUDFLARE_API_URL has a value of the wrong form"]);
    assert_eq!(place.run(&["cloudflare", "list"]).succeeded().out, "");
    assert!(!place.printed.borrow().contains("hunter2"));
}

#[test]
fn what_is_odd_about_a_zone_is_said_when_it_is_added_and_when_it_is_checked() {
    let (place, api) = (Place::ready(), fake());
    let reads =
        [Permission::ZoneRead, Permission::SettingsRead, Permission::WafRead, Permission::FirewallRead];
    let expires_on = Some("2027-01-01T00:00:00Z".to_owned());
    api.add_token(Token { expires_on, ..Token::new(TOKEN).with(&reads) });
    api.edit(&Edit::SetZone { zone: ZONE.to_owned(), status: None, paused: Some(true), plan: None });
    let added = place.add_zone(&api, TOKEN).succeeded().out;
    let checked = place.ask(&api, &["cloudflare", "check"]).succeeded().out;
    for said in [&added, &checked] {
        for text in ["the zone is paused", "ends on 2027-01-01T00:00:00Z", "whether it may write"] {
            assert!(said.contains(text), "{text} in {said}");
        }
    }
    revoke(&api);
    let ran = place.ask(&api, &["cloudflare", "check"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.out.starts_with("FAIL  acme example.com: Cloudflare doesn't take the API token"),
        "{}",
        ran.out
    );
    let users = ("SECMON_TELEGRAM_ALLOWED_USER_IDS", "1");
    let ran = place.run_with(&["doctor"], &[users, ("SECMON_CLOUDFLARE_API_URL", &api.url())]);
    assert_eq!(ran.code, Some(1));
    for text in ["ok    data key: opens every stored token (1)", "FAIL  acme example.com: "] {
        assert!(ran.out.contains(text), "{text} in {}", ran.out);
    }
    assert_eq!(place.run_with(&["doctor", "--offline"], &[users]).code, Some(0));
}

#[test]
fn a_wrong_data_key_is_an_error_at_start() {
    let (place, api) = (Place::ready(), fake());
    place.add_zone(&api, TOKEN).succeeded();
    place.set_data_key("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    let wrong = ["the stored token of example.com doesn't open: SECMON_DATA_KEY"];
    let variables = [
        ("SECMON_TELEGRAM_BOT_TOKEN", "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"),
        ("SECMON_TELEGRAM_API_URL", "http://127.0.0.1:9"),
        ("SECMON_TELEGRAM_ALLOWED_USER_IDS", "1"),
    ];
    place.run_with(&["serve"], &variables).refused(&wrong);
    place.ask(&api, &["cloudflare", "list"]).refused(&wrong);
    place.ask(&api, &["cloudflare", "protect", "acme", "example.com"]).refused(&wrong);
    place.run(&["key", "rotate"]).refused(&wrong);
    let doctor = place.run_with(&["doctor", "--offline"], &variables);
    assert_eq!(doctor.code, Some(1));
    assert!(doctor.out.contains(&format!("FAIL  data key: {}", wrong[0])), "{}", doctor.out);
    // The way out: the zone gets a token under the key that there is.
    place.add_zone(&api, TOKEN).succeeded();
    place.ask(&api, &["cloudflare", "check"]).succeeded();
}

#[test]
fn a_rotation_changes_the_key_in_the_settings_and_every_token_still_opens() {
    let (place, api) = (Place::ready(), fake());
    place.add_zone(&api, TOKEN).succeeded();
    let old = place.data_key();
    let said = place.run(&["key", "rotate"]).succeeded().out;
    assert!(
        said.starts_with("Rotated the data key; tokens encrypted with the new one: 1.")
            && said.contains("Restart secmon serve"),
        "{said}"
    );
    let new = place.data_key();
    assert!(new != old && new.len() == 44);
    place.ask(&api, &["cloudflare", "check"]).succeeded();
    assert_eq!(crate::place::mode(&place.data().join("secmon.env")), 0o600);

    // Interrupted after both keys were written.
    place.set_data_key(&format!("{old},{new}"));
    place.ask(&api, &["cloudflare", "check"]).succeeded();
    let said = place.run(&["key", "rotate"]).succeeded().out;
    assert!(said.starts_with("Finished the rotation"), "{said}");
    assert_eq!(place.data_key(), old);
    place.ask(&api, &["cloudflare", "check"]).succeeded();

    // The key of the environment is its owner's to change.
    let both = format!("{new},{old}");
    place
        .run_with(&["key", "rotate"], &[("SECMON_DATA_KEY", &old)])
        .refused(&["comes from the environment", "NEW,OLD"]);
    let said = place.run_with(&["key", "rotate"], &[("SECMON_DATA_KEY", &both)]).succeeded().out;
    assert!(said.contains("remove the other keys"), "{said}");
    place.run_with(&["cloudflare", "list"], &[("SECMON_DATA_KEY", &new)]).succeeded();
    place.run(&["cloudflare", "list"]).refused(&["doesn't open"]);
    for key in [&old, &new] {
        assert!(!place.printed.borrow().contains(key.as_str()));
    }
}

#[test]
fn a_killed_rotation_leaves_every_token_readable() {
    let (place, api) = (Place::ready(), fake());
    place.add_zone(&api, TOKEN).succeeded();
    for round in 0..24 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_secmon"));
        command
            .args(["key", "rotate"])
            .env_clear()
            .env("SECMON_DATA_DIR", place.data())
            .stdout(Stdio::null());
        let mut rotation = command.spawn().expect("secmon runs");
        // After so many things have changed in the data directory.
        for _ in 0..round % 8 {
            let before = place.stored();
            while place.stored() == before && rotation.try_wait().expect("a status").is_none() {}
        }
        rotation.kill().expect("killed");
        rotation.wait().expect("an end");
        place.run(&["cloudflare", "list"]).succeeded();
    }
    place.run(&["key", "rotate"]).succeeded();
    place.ask(&api, &["cloudflare", "check"]).succeeded();
    assert!(!place.data_key().contains(','));
}
