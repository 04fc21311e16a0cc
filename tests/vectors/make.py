#!/usr/bin/env python3
"""Writes the golden vectors beside this file, from the formats' descriptions alone.

It shares no code with secmon: JSON, HMAC and SHA-256 come from Python's standard library, Ed25519 from
`cryptography`, Fernet tokens too, one-time codes from `pyotp`. Every key is a fixed seed that protects nothing, so each run
writes the same bytes.

    python3 tests/vectors/make.py            writes the files
    python3 tests/vectors/make.py --check    exits 1 and names the files that differ
"""

import base64
import hashlib
import hmac
import json
import pathlib
import sys

import pyotp
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import audit_chains

HERE = pathlib.Path(__file__).parent
DISPATCH = Ed25519PrivateKey.from_private_bytes(b"dispatch key of the test vectors")
RECEIPT = Ed25519PrivateKey.from_private_bytes(b"receipt key of the test vectors!")
OTHER = Ed25519PrivateKey.from_private_bytes(b"a key that nobody should accept!")
ENVELOPE_CONTEXT = b"secmon-envelope-v1\0"
RECEIPT_CONTEXT = b"secmon-receipt-v1\0"
MANIFEST_SECRET = "manifest secret of the test vectors, ünïcödé"


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def public(key):
    return key.public_key().public_bytes_raw().hex()


def sign(key, context, text):
    return key.sign(context + text.encode()).hex()


def without(record, *names):
    return {name: value for name, value in record.items() if name not in names}


def refusal(name, text, code):
    """A refused message; bytes that are no text are given in hex."""
    if isinstance(text, bytes):
        return {"name": name, "hex": text.hex(), "code": code}
    return {"name": name, "text": text, "code": code}


# --- canonical JSON -------------------------------------------------------------------------------


def canonical_cases():
    every_escape = "".join(chr(code) for code in range(0x20)) + '"\\/\x7f\x80\u2028\u2029\ufeff\U0001f680'
    accepted = [
        {}, {"a": 1}, {"a": -1, "b": 0}, {"a": 2**53 - 1, "b": -(2**53 - 1)},
        {"a": None, "b": True, "c": False, "d": [], "e": {}, "f": ""},
        {"a": every_escape}, {"a": "häßlich, 日本語, שלום, e\u0301"},
        {"a": [[[1, "x"], []]], "b": {"c": {"d": [1]}}},
        {"_": 1, "0": 2, "a": 3, "a0": 4, "a_": 5, "aa": 6, "b": 7},
        {"a": [1, 2, 3, "four", None, {"five": 5}]}, {"a": "}{][,:\\\""},
    ]
    not_json = [
        ("empty", ""), ("an array", "[]"), ("a number", "1"), ("a string", '"a"'), ("null", "null"),
        ("not closed", "{"), ("not closed after a member", '{"a":1'), ("closed twice", "{}}"), ("two objects", "{}{}"),
        ("a byte order mark", "\ufeff{}"), ("a trailing comma", '{"a":1,}'), ("a leading comma", '{,"a":1}'),
        ("no value", '{"a":}'), ("no colon", '{"a"1}'), ("single quotes", "{'a':1}"), ("a bare key", "{a:1}"),
        ("a number as key", "{1:1}"), ("a leading zero", '{"a":01}'), ("a negative leading zero", '{"a":-01}'),
        ("a plus sign", '{"a":+1}'), ("a lone minus", '{"a":-}'), ("hexadecimal", '{"a":0x1}'), ("NaN", '{"a":NaN}'),
        ("infinity", '{"a":Infinity}'), ("a wrong literal", '{"a":True}'), ("a cut literal", '{"a":nul}'),
        ("a comment", '{"a":1/**/}'), ("a raw line feed in a string", '{"a":"\n"}'), ("a raw NUL in a string", '{"a":"\0"}'),
        ("a NUL after the end", "{}\0"), ("an unknown escape", r'{"a":"\x41"}'), ("a cut escape", r'{"a":"\u00"}'),
        ("an escape of letters", r'{"a":"\uzzzz"}'), ("a string not closed", '{"a":"'), ("an escaped end", '{"a":"\\"}'),
        ("an array not closed", '{"a":[1'), ("an array closed by a brace", '{"a":[1}}'), ("an array with a hole", '{"a":[1,,2]}'),
    ]
    not_canonical = [
        ("space before", " {}"), ("space after", "{} "), ("line feed after", "{}\n"), ("carriage return after", "{}\r\n"),
        ("space in an empty object", "{ }"), ("space before a key", '{ "a":1}'), ("space after a key", '{"a" :1}'),
        ("space after a colon", '{"a": 1}'), ("space after a value", '{"a":1 }'), ("space after a comma", '{"a":1, "b":2}'),
        ("tab", '{"a":\t1}'), ("space in an array", '{"a":[1, 2]}'), ("keys not sorted", '{"b":1,"a":2}'),
        ("inner keys not sorted", '{"a":{"c":1,"b":2}}'), ("keys in an array not sorted", '{"a":[{"c":1,"b":2}]}'),
        ("a longer key before its prefix", '{"ab":1,"a":2}'), ("minus zero", '{"a":-0}'), ("an escaped slash", r'{"a":"\/"}'),
        ("an escaped letter", r'{"a":"\u0041"}'), ("an escaped umlaut", r'{"a":"\u00e9"}'), ("an escaped line feed", r'{"a":"\u000a"}'),
        ("an escaped backspace", r'{"a":"\u0008"}'), ("upper-case hex", r'{"a":"\u001F"}'), ("an escaped quote", r'{"a":"\u0022"}'),
        ("an escaped delete", r'{"a":"\u007f"}'), ("a lone surrogate", r'{"a":"\ud800"}'), ("a surrogate pair", r'{"a":"\ud83d\ude00"}'),
    ]
    other = [
        ("a duplicate", '{"a":1,"a":1}', "duplicate-field"),
        ("a duplicate further on", '{"a":1,"b":2,"a":3}', "duplicate-field"),
        ("a duplicate within", '{"a":{"b":1,"b":2}}', "duplicate-field"),
        ("a duplicate within an array", '{"a":[0,{"b":1,"c":[2],"b":2}]}', "duplicate-field"),
        ("a fraction", '{"a":1.5}', "float"), ("an integer with a fraction", '{"a":1.0}', "float"),
        ("an exponent", '{"a":1e2}', "float"), ("a negative exponent", '{"a":-1E-2}', "float"),
        ("2^53", '{"a":9007199254740992}', "integer-range"), ("-2^53", '{"a":-9007199254740992}', "integer-range"),
        ("2^64", '{"a":18446744073709551616}', "integer-range"), ("thirty nines", '{"a":%s}' % ("9" * 30), "integer-range"),
        ("five levels of arrays", '{"a":[[[[1]]]]}', "too-deep"), ("five levels of objects", '{"a":{"a":{"a":{"a":{}}}}}', "too-deep"),
        ("three hundred levels", '{"a":' + "[" * 300, "too-deep"),
        ("an upper-case key", '{"A":1}', "unknown-field"), ("an empty key", '{"":1}', "unknown-field"),
        ("a key with an escape", r'{"a\n":1}', "unknown-field"), ("a key with an escaped letter", r'{"a\u0062":1}', "not-canonical"), ("a key with an umlaut", '{"ä":1}', "unknown-field"),
        ("a stray continuation byte", b'{"a":"\x80"}', "not-utf8"), ("an overlong NUL", b'{"a":"\xc0\x80"}', "not-utf8"),
        ("an encoded surrogate", b'{"a":"\xed\xa0\x80"}', "not-utf8"), ("a cut character", b'{"a":"\xe2\x82"}', "not-utf8"),
        ("beyond U+10FFFF", b'{"a":"\xf4\x90\x80\x80"}', "not-utf8"), ("Latin-1", '{"a":"é"}'.encode("latin-1"), "not-utf8"),
        ("UTF-16", "{}".encode("utf-16"), "not-utf8"),
    ]
    refused = [refusal(name, text, "not-json") for name, text in not_json]
    refused += [refusal(name, text, "not-canonical") for name, text in not_canonical]
    refused += [refusal(*case) for case in other]
    return {"accepted": [canonical(value) for value in accepted], "refused": refused}


def message_faults(record, limit):
    """What every message refuses, whatever its fields mean."""
    text = canonical(record)
    first, *_, last = sorted(record)
    faults = [
        refusal("a space", text.replace(":", ": ", 1), "not-canonical"), refusal("a line feed at the end", text + "\n", "not-canonical"),
        refusal("keys in the order of writing", json.dumps(record, separators=(",", ":"), ensure_ascii=False), "not-canonical"),
        refusal("a duplicate", text[:-1] + ',"%s":%s}' % (last, canonical(record[last])), "duplicate-field"),
        refusal("the first field again at the end", text[:-1] + ',"%s":%s}' % (first, canonical(record[first])), "duplicate-field"),
        refusal("cut", text[:-1], "not-json"), refusal("an array around it", "[" + text + "]", "not-json"),
        refusal("over the limit", text[:-1] + ',"zz":"%s"}' % ("x" * limit), "too-long"),
        refusal("no field", "{}", "missing-field"),
        refusal("a text as version", canonical({**record, "v": "1"}), "bad-value"),
        refusal("version 2", canonical({**record, "v": 2}), "version"), refusal("version 0", canonical({**record, "v": 0}), "version"),
    ]
    for extra in ("aa", "m", "zz"):
        faults.append(refusal(f"an unknown field {extra}", canonical({**record, extra: 1}), "unknown-field"))
    for name in record:
        faults.append(refusal(f"no {name}", canonical(without(record, name)), "missing-field"))
        faults.append(refusal(f"true as {name}", canonical({**record, name: True}), "bad-value"))
        if record[name] is not None:
            wrong = "x" * 300 if isinstance(record[name], str) else -(2**40)
            faults.append(refusal(f"a wrong {name}", canonical({**record, name: wrong}), "bad-value"))
    return faults


def bad_values(record, cases):
    faults = []
    for name, values in cases:
        for value in values:
            outer, _, inner = name.partition(".")
            changed = {**record[outer], inner: value} if inner else value
            faults.append(refusal(f"{name} = {canonical(value)}", canonical({**record, outer: changed}), "bad-value"))
    return faults


# --- envelopes ------------------------------------------------------------------------------------

HASH = hashlib.sha256(b"an intent").hexdigest()
ENVELOPE = {
    "v": 1, "action": "restart-web", "agent_id": "web1", "intent": {"seq": 7, "hash": HASH},
    "nonce": "9f2c41d07be83a55", "ts": 1767225600,
}


def envelopes():
    records = [
        ENVELOPE, {**ENVELOPE, "action": "restart-php", "agent_id": "0"}, {**ENVELOPE, "action": "restart-db", "agent_id": "a-" + "x" * 30},
        {**ENVELOPE, "intent": {"hash": "f" * 64, "seq": 2**53 - 1}, "nonce": "0" * 16, "ts": 0},
    ]
    valid = [{"body": canonical(r), "fields": r, "signature": sign(DISPATCH, ENVELOPE_CONTEXT, canonical(r))} for r in records]
    body = canonical(ENVELOPE)
    good = bytes.fromhex(valid[0]["signature"])
    forged = [
        ("another key", sign(OTHER, ENVELOPE_CONTEXT, body)), ("the receipt's context", sign(DISPATCH, RECEIPT_CONTEXT, body)),
        ("no context", sign(DISPATCH, b"", body)), ("the context without its NUL", sign(DISPATCH, ENVELOPE_CONTEXT[:-1], body)),
        ("another body", sign(DISPATCH, ENVELOPE_CONTEXT, canonical({**ENVELOPE, "ts": 1}))), ("one bit", (good[:-1] + bytes([good[-1] ^ 1])).hex()),
        ("zeros", "0" * 128),
    ]
    refused = message_faults(ENVELOPE, 512) + bad_values(ENVELOPE, [
        ("action", ["restart", "cf-restore", "RESTART-WEB", "restart-web ", "reboot", ""]),
        ("agent_id", ["", "-web1", "Web1", "web_1", "web1\n", "x" * 33, "wéb"]),
        ("nonce", ["", "9f2c41d07be83a5", "9f2c41d07be83a555", "9F2C41D07BE83A55", "9f2c41d07be83a5g", 5]),
        ("ts", ["1767225600", None, [1]]), ("intent", [[], "7", None]),
        ("intent.hash", ["", "0" * 63, "0" * 65, "F" * 64, 7]), ("intent.seq", [-1, "7", None]),
    ])
    for name, intent in [("hash", {"seq": 7}), ("seq", {"hash": HASH})]:
        refused.append(refusal(f"no intent.{name}", canonical({**ENVELOPE, "intent": intent}), "missing-field"))
    more = {"hash": HASH, "seq": 7, "who": "me"}
    refused.append(refusal("an unknown field in intent", canonical({**ENVELOPE, "intent": more}), "unknown-field"))
    refused.append(refusal("a float as ts", body.replace("1767225600", "1767225600.0"), "float"))
    forged = [{"name": name, "body": body, "signature": signature} for name, signature in forged]
    return {"public_key": public(DISPATCH), "valid": valid, "refused": refused, "forged": forged}


# --- manifests ------------------------------------------------------------------------------------

MANIFEST = {
    "v": 1, "seq": 3, "agent_id": "web1", "client_id": "acme", "issued": 1767225600, "diagnostics": ["disk", "web"],
    "operations": [{"action": "restart-web", "unit": "nginx", "min_interval_s": 30}],
}


def mac(secret, record):
    return hmac.new(secret.encode(), canonical(record).encode(), hashlib.sha256).hexdigest()


def seal(record, key=DISPATCH, secret=MANIFEST_SECRET):
    sealed = {**record, "control_signature": sign(key, b"", canonical(record))}
    return {**sealed, "signature": mac(secret, sealed)}


def capability(action, unit, interval):
    return {"action": action, "unit": unit, "min_interval_s": interval}


def manifests():
    everything = [capability("restart-db", "postgresql@15-main", 86400), capability("restart-php", "php8.2-fpm", 3), capability("restart-web", "lsws", 3)]
    areas = ["db", "disk", "flood", "http", "net", "php", "system", "tls", "web"]
    hosts_alone = {"access_logs": [], "error_logs": [], "hosts": ["shop.example.com"], "thresholds": []}
    tuning = {
        "access_logs": ["/srv/logs/access.log"], "error_logs": ["/srv/logs/error.log", "/srv/php logs/php.log"],
        "hosts": ["example.com", "xn--mnchen-3ya.example"],
        "thresholds": [["disk-full", 1], ["disk-low", 99], ["flood-rate", 60000], ["inodes-low", 5], ["memory-low", 50], ["server-errors", 50], ["slow-page", 100], ["tls-expiry", 90]],
    }
    records = [
        MANIFEST, {**MANIFEST, "diagnostics": [], "operations": []}, {**MANIFEST, "diagnostics": areas, "operations": everything},
        {**MANIFEST, "tuning": hosts_alone}, {**MANIFEST, "tuning": tuning},
    ]
    valid = [
        {"text": canonical(seal(r)), "fields": r, "control_message": canonical(r), "mac_message": canonical(without(seal(r), "signature"))}
        for r in records
    ]
    sealed = seal(MANIFEST)
    apache = {**sealed, "operations": [capability("restart-web", "apache2", 30)]}
    forged = [
        {"name": "an edited unit", "text": canonical(apache), "control": False, "mac": False},
        {"name": "an edited interval", "text": canonical(sealed).replace(":30,", ":31,"), "control": False, "mac": False},
        {"name": "another secret", "text": canonical(seal(MANIFEST, secret="guessed")), "control": True, "mac": False},
        {"name": "another dispatch key", "text": canonical(seal(MANIFEST, key=OTHER)), "control": False, "mac": True},
        {"name": "edited and sealed again without the secret", "text": canonical(seal(without(apache, "signature", "control_signature"), OTHER, "")), "control": False, "mac": False},
        {"name": "an HMAC without control_signature", "text": canonical({**sealed, "signature": mac(MANIFEST_SECRET, MANIFEST)}), "control": True, "mac": False},
    ]
    tuned = seal({**MANIFEST, "tuning": tuning})
    forged += [
        {"name": "an edited threshold", "text": canonical(tuned).replace('"disk-low",99', '"disk-low",98'), "control": False, "mac": False},
        {"name": "a tuning put in", "text": canonical({**sealed, "tuning": tuning}), "control": False, "mac": False},
        {"name": "a tuning taken out", "text": canonical(without(tuned, "tuning")), "control": False, "mac": False},
    ]
    one = capability("restart-web", "nginx", 30)
    refused = message_faults(sealed, 4096) + bad_values(sealed, [
        ("operations", [
            [capability("restart-web", unit, 30)] for unit in ("sshd", "mariadb", "nginx.service", "../nginx", "", "nginx;id")
        ] + [[capability("restart-php", "php-8.2-fpm", 30)], [capability("restart-db", "postgresql-x", 30)], [capability("reboot", "nginx", 30)],
             [capability("cf-restore", "nginx", 30)], [capability("restart-web", "nginx", 2)], [capability("restart-web", "nginx", 86401)],
             [capability("restart-web", "nginx", 2**32 + 30)], [capability("restart-web", "nginx", "30")], ["restart-web"], [[]], {}]),
        ("diagnostics", [["disks"], ["Web"], [1], "web", [["web"]]]),
        ("client_id", ["", "acme!", "x" * 33]), ("signature", ["", "0" * 63, "A" * 64]), ("control_signature", ["0" * 127, "F" * 128]),
    ])
    refused += bad_values(tuned, [
        ("tuning", [None, {**hosts_alone, "hosts": []}, [], "all", 1]),
        ("tuning.hosts", [
            "a.example", [""], ["A.example"], ["a.example:80"], ["a.example/"], ["*.example"], ["a..example"], ["-a.example"], ["10.0.0.1"], ["ä.example"], ["x" * 64 + ".example"],
            ["h%d.example" % n for n in range(9)], [1],
        ]),
        ("tuning.access_logs", [["/a.log"], ["a.log"], ["/srv/../a.log"], ["/srv//a.log"], ["/srv/a\n"], ["/srv/" + "x" * 124], ["/dev/shm/a.log"], ["/srv/%d" % n for n in range(5)]]),
        ("tuning.error_logs", [["/a.log"], ["/proc/self/environ"], ["/srv/\"a"], ["/srv/%d" % n for n in range(5)], None]),
        ("tuning.thresholds", [
            [["disk", 5]], [["disk-low"]], [["disk-low", 5, 5]], [["disk-low", "5"]], [["disk-low", 0]], [["disk-low", 100]], [["disk-full", 0]], [["disk-full", 100]],
            [["flood-rate", 19]], [["flood-rate", 60001]], [["inodes-low", 0]], [["inodes-low", 100]], [["memory-low", 0]], [["memory-low", 51]], [["server-errors", 0]],
            [["server-errors", 51]], [["slow-page", 99]], [["slow-page", 2001]], [["tls-expiry", 0]], [["tls-expiry", 91]], [["tls-expiry", 2**32 + 5]], ["disk-low", 5],
        ]),
    ])
    refused += [
        refusal("hosts not sorted", canonical({**tuned, "tuning": {**tuning, "hosts": ["b.example", "a.example"]}}), "unsorted"),
        refusal("a log twice", canonical({**tuned, "tuning": {**tuning, "access_logs": ["/srv/a", "/srv/a"]}}), "unsorted"),
        refusal("a threshold twice", canonical({**tuned, "tuning": {**tuning, "thresholds": [["disk-low", 5], ["disk-low", 6]]}}), "unsorted"),
        refusal("thresholds not sorted", canonical({**tuned, "tuning": {**tuning, "thresholds": [["disk-low", 5], ["disk-full", 1]]}}), "unsorted"),
        refusal("an unknown field in the tuning", canonical({**tuned, "tuning": {**tuning, "ports": [80]}}), "unknown-field"),
        refusal("a tuning without thresholds", canonical({**tuned, "tuning": without(tuning, "thresholds")}), "missing-field"),
        refusal("a tuning that is too long", canonical({**tuned, "tuning": {**tuning, "hosts": [c + "." + ".".join(["x" * 63] * 3) + ".de" for c in "abcdefgh"], "access_logs": ["/srv/%d" % n + "x" * 100 for n in range(4)]}}), "too-long"),
        refusal("areas not sorted", canonical({**sealed, "diagnostics": ["web", "disk"]}), "unsorted"),
        refusal("an area twice", canonical({**sealed, "diagnostics": ["web", "web"]}), "unsorted"),
        refusal("operations not sorted", canonical({**sealed, "operations": [one, everything[1]]}), "unsorted"),
        refusal("an operation twice", canonical({**sealed, "operations": [one, one]}), "unsorted"),
        refusal("an argument in a capability", canonical({**sealed, "operations": [{**one, "args": []}]}), "unknown-field"),
        refusal("a capability without interval", canonical({**sealed, "operations": [without(one, "min_interval_s")]}), "missing-field"),
    ]
    return {"public_key": public(DISPATCH), "secret": MANIFEST_SECRET, "valid": valid, "refused": refused, "forged": forged}


# --- receipts -------------------------------------------------------------------------------------

RECEIPT_BODY = {
    "v": 1, "action": "restart-web", "agent_id": "web1", "unit": "nginx", "state": "succeeded", "reason": "", "exit": 0, "seq": 2,
    "before": "0b8e7f2c9a4d4f3e8f6a1b2c3d4e5f60", "after": "5f1c2d3e4b5a69788796a5b4c3d2e1f0", "clock": 1767225603, "duration_ms": 812,
    "intent": {"hash": HASH, "seq": 7}, "nonce": "9f2c41d07be83a55", "prev": hashlib.sha256(b"an earlier receipt").hexdigest(),
}


def receipts():
    reason = 'preflight: nginx: [emerg] unexpected "}" in C:\\conf\t:1 \b\f\r\n\x1b[31m é 日本 🚀'
    records = [
        RECEIPT_BODY, {**RECEIPT_BODY, "seq": 1, "prev": "", "before": "", "after": "912345", "unit": "php8.2-fpm", "action": "restart-php"},
        {**RECEIPT_BODY, "state": "refused", "reason": reason, "exit": 1, "after": RECEIPT_BODY["before"], "duration_ms": 0},
        {**RECEIPT_BODY, "state": "failed", "reason": "timeout: " + "x" * 191, "exit": -9}, {**RECEIPT_BODY, "state": "refused", "reason": "\x01" * 180, "exit": None},
        {**RECEIPT_BODY, "state": "refused", "reason": "unlisted: restart-db", "unit": "", "before": "", "after": "", "exit": None, "action": "restart-db"},
        {**RECEIPT_BODY, "exit": -(2**31), "before": "b" * 64, "after": "ä" * 32, "clock": 2**53 - 1},
    ]
    valid = [{"body": canonical(r), "fields": r, "signature": sign(RECEIPT, RECEIPT_CONTEXT, canonical(r))} for r in records]
    body = canonical(RECEIPT_BODY)
    forged = [
        ("another key", sign(OTHER, RECEIPT_CONTEXT, body)), ("the envelope's context", sign(RECEIPT, ENVELOPE_CONTEXT, body)),
        ("no context", sign(RECEIPT, b"", body)), ("the receipt of a failure", valid[3]["signature"]),
    ]
    refused = message_faults(RECEIPT_BODY, 1536) + bad_values(RECEIPT_BODY, [
        ("state", ["unknown", "Succeeded", ""]), ("exit", ["0", 2**31, -(2**31) - 1, True]), ("reason", ["x" * 201, "é" * 101, None]),
        ("before", ["b" * 65]), ("after", ["ä" * 33]), ("prev", ["0" * 63, None, "G" * 64]), ("unit", ["a/b", "-h", "x" * 65, None]), ("seq", [-1, None]),
    ])
    escaped = canonical({**RECEIPT_BODY, "reason": "\x01" * 200})
    refused.append(refusal("a reason within its limit whose escapes are over the receipt's", escaped, "too-long"))
    forged = [{"name": name, "body": body, "signature": signature} for name, signature in forged]
    return {"public_key": public(RECEIPT), "valid": valid, "refused": refused, "forged": forged}


# --- one-time codes -------------------------------------------------------------------------------


def totp():
    seeds = [b"12345678901234567890", bytes(range(16)), b"\xff" * 20, hashlib.sha256(b"a longer secret").digest()]
    secrets = [base64.b32encode(seed).decode().rstrip("=") for seed in seeds]
    times = [0, 29, 30, 59, 1111111109, 1111111111, 1234567890, 1767225600, 1767225629, 2000000000, 20000000000]
    codes = [{"secret": s, "time": t, "code": pyotp.TOTP(s).at(t)} for s in secrets for t in times]
    spellings = [secrets[0].lower(), base64.b32encode(seeds[1]).decode()]
    padded = [{"secret": s, "time": 1767225600, "code": pyotp.TOTP(s).at(1767225600)} for s in spellings]
    return {"codes": codes + padded}


# --- stored credentials ---------------------------------------------------------------------------


def fernet():
    keys = [base64.urlsafe_b64encode(hashlib.sha256(name).digest()).decode() for name in (b"one", b"two", b"three")]
    iv = bytes(range(16))

    def token(key, text, time=1767225600, iv=iv):
        return Fernet(key)._encrypt_from_parts(text.encode(), time, iv).decode()

    texts = ["", "x", "fifteen bytes..", "sixteen bytes...", "seventeen bytes..", "ünïcödé", "t" * 40, "t" * 500]
    made = [{"keys": keys[0], "text": t, "time": 1767225600, "iv": iv.hex(), "token": token(keys[0], t)} for t in texts]
    made += [{"keys": keys[1], "text": "x", "time": time, "iv": (b"\xff" * 16).hex(), "token": token(keys[1], "x", time, b"\xff" * 16)}
             for time in (0, 1, 2**40)]
    # A token of each key under all of them, whichever stands first.
    read = [{"keys": ",".join(keys[n:] + keys[:n]), "text": key, "token": token(key, key)} for n in range(3) for key in keys]
    for case in made + read:
        multi = MultiFernet([Fernet(key) for key in case["keys"].split(",")])
        assert multi.decrypt(case["token"].encode()).decode() == case["text"]

    good = token(keys[0], "a credential")
    raw = base64.urlsafe_b64decode(good)

    def signed(body):
        return base64.urlsafe_b64encode(body + hmac.new(base64.urlsafe_b64decode(keys[0])[:16], body, hashlib.sha256).digest()).decode()

    def edited(at):
        return base64.urlsafe_b64encode(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1:]).decode()

    refused = [
        ("nothing", ""), ("another key", token(keys[1], "a credential")), ("not base64", "!" + good[1:]),
        ("another version", edited(0)), ("another time", edited(8)), ("another iv", edited(9)), ("another text", edited(25)),
        ("another tag", edited(len(raw) - 1)), ("cut", good[:-4]), ("longer", base64.urlsafe_b64encode(raw + b"x").decode()),
        ("another version, signed", signed(b"\x81" + raw[1:-32])), ("no text, signed", signed(raw[:25])),
        ("half a block, signed", signed(raw[:33])), ("a block short of its padding, signed", signed(raw[:-48] + bytes(16))),
        ("a head alone, signed", signed(raw[:9])), ("nothing, signed", signed(b"")),
    ]
    for name, text in refused:
        try:
            Fernet(keys[0]).decrypt(text.encode())
        except InvalidToken:
            continue
        raise AssertionError(name)
    return {"made": made, "read": read, "refused": [{"name": name, "keys": keys[0], "token": text} for name, text in refused]}


FILES = {
    "canonical.json": canonical_cases, "envelopes.json": envelopes, "manifests.json": manifests, "receipts.json": receipts,
    "audit.json": audit_chains.chains, "totp.json": totp, "fernet.json": fernet,
}


def one_case_per_line(vectors):
    def members(value):
        if not isinstance(value, list):
            return json.dumps(value)
        return "[\n" + ",\n".join(json.dumps(case, sort_keys=True) for case in value) + "\n]"

    return "{\n" + ",\n".join(f"{json.dumps(name)}: {members(vectors[name])}" for name in sorted(vectors)) + "\n}\n"


def main(arguments):
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    stale = []
    for name, make in FILES.items():
        text = one_case_per_line(make())
        path = HERE / name
        if arguments == ["--check"]:
            if not path.exists() or path.read_text("utf-8") != text:
                stale.append(name)
        else:
            path.write_text(text, "utf-8")
    if stale:
        print("these vectors differ from what this script makes:", ", ".join(stale), file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
