//! The kill switch of automatic changes at Cloudflare, and what the doctor says of it.

use std::fs;

use crate::place::Place;

const USERS: (&str, &str) = ("SECMON_TELEGRAM_ALLOWED_USER_IDS", "1");

#[test]
fn the_switch_is_a_file_that_stays_until_somebody_removes_it() {
    let place = Place::ready();
    let file = place.data().join("auto-off");
    assert_eq!(place.run(&["auto", "status"]).succeeded().out, "on\n");
    for _ in 0..2 {
        assert_eq!(place.run(&["auto", "off"]).succeeded().out, "off: `secmon auto off`\n");
        assert!(file.exists());
        assert_eq!(place.run(&["auto", "status"]).succeeded().out, "off: `secmon auto off`\n");
    }
    let doctor = place.run_with(&["doctor", "--offline"], &[USERS]).out;
    assert!(
        doctor.contains("ok    kill switch: automatic changes are switched off by `secmon auto off`"),
        "{doctor}"
    );
    for _ in 0..2 {
        assert_eq!(place.run(&["auto", "on"]).succeeded().out, "on\n");
        assert!(!file.exists());
    }
    assert!(!place.run_with(&["doctor", "--offline"], &[USERS]).out.contains("kill switch"));
}

#[test]
fn the_switch_works_where_the_database_does_not() {
    let place = Place::ready();
    fs::write(place.data().join("secmon.db"), "torn").expect("a file");
    let ran = place.run(&["auto", "off"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), "off: `secmon auto off`\n"), "{}", ran.err);
    assert!(place.data().join("auto-off").exists());
}

#[test]
fn what_the_variable_switches_off_no_command_switches_on() {
    let place = Place::ready();
    let off = [("SECMON_AUTO_CF_DISABLED", "1")];
    for command in ["on", "status"] {
        let said = place.run_with(&["auto", command], &off).succeeded().out;
        assert_eq!(said, "off: SECMON_AUTO_CF_DISABLED=1\n");
    }
    place
        .run_with(&["auto", "status"], &[("SECMON_AUTO_CF_DISABLED", "yes")])
        .refused(&["SECMON_AUTO_CF_DISABLED"]);
    Place::new().run(&["auto", "off"]).refused(&["there is no data directory", "secmon init"]);
    place.run(&["auto"]).misused("Usage: secmon auto");
    place.run(&["auto", "of"]).misused("a similar subcommand exists: 'off'");
}

#[test]
fn the_doctor_names_each_setting_for_cloudflare_that_is_wrong() {
    let place = Place::ready();
    let sound = place.run_with(&["doctor", "--offline"], &[USERS]).succeeded().out;
    for line in [
        "ok    leases at Cloudflare: under-attack mode for 60 min, everything else for 24 h, armed for 24 h",
        "ok    automatic policy: ladder, put back at most 4 times an hour",
    ] {
        assert!(sound.contains(line), "{line} in {sound}");
    }
    for (name, value) in [
        ("SECMON_CF_UNDER_ATTACK_MINUTES", "0"),
        ("SECMON_CF_BLOCK_HOURS", "169"),
        ("SECMON_CF_AUTO_HOURS", "a day"),
        ("SECMON_CF_AUTO_POLICY", "none"),
        ("SECMON_CF_AUTO_FLIPS", "-1"),
        ("SECMON_CLOUDFLARE_EDGE", "http://192.0.2.1:80"),
        ("SECMON_CLOUDFLARE_EDGE", "https://127.0.0.1:443"),
    ] {
        let ran = place.run_with(&["doctor", "--offline"], &[USERS, (name, value)]);
        assert_eq!(ran.code, Some(1), "{name}={value}: {}", ran.out);
        assert!(
            ran.out.contains(&format!(": {name} has a value of the wrong form; expected ")),
            "{}",
            ran.out
        );
    }
    let here = ("SECMON_CLOUDFLARE_EDGE", "http://127.0.0.1:8080");
    let ran = place.run_with(&["doctor", "--offline"], &[USERS, here]).succeeded();
    assert!(
        ran.out.contains("warn  Cloudflare's edge: http://127.0.0.1:8080 is asked instead of it"),
        "{}",
        ran.out
    );
}
