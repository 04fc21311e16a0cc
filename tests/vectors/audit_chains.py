"""Audit chains for the golden vectors: sound ones, and ones broken in every way that a verifier must name.

`canonical` is a record without prev_hash and record_hash; record_hash = SHA-256(prev_hash | "|" | canonical);
the first prev_hash is empty. A line is broken if its own hash doesn't match, or if its prev_hash isn't the
record_hash that stands on the line before it, or if its seq doesn't follow, or if it is no record at all.
"""

import hashlib
import json

RECORDS = [
    {"event": "audit_opened", "seq": 1, "ts": 1767225600},
    {"action": "restart-web", "client_id": "acme", "event": "intent", "nonce": "9f2c41d07be83a55", "seq": 2, "ts": 1767225601},
    {"event": "rejected", "reason": 'grammar: "ACME" — erwartet wurde eine Kundenkennung (日本語, שלום, 🚀)', "seq": 3, "ts": 1767225602},
    {"event": "note", "seq": 4, "text": "".join(map(chr, range(0x20))) + "\"\\/\x7f\u0080\u2028\u2029\ufeff", "ts": 1767225602},
    {"event": "outcome", "receipt": {"body": {"after": "b", "before": "a", "list": [1, [2, {"x": None}], True, False, -5, ""]}, "signature": "00"}, "seq": 5, "ts": 1767225603},
    {"empty": {}, "event": "Ärger", "größe": 2**53 - 1, "seq": 6, "ts": 1767225604, "Ümlaut": []},
]


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def record_hash(prev, record):
    return hashlib.sha256(prev.encode() + b"|" + canonical(record).encode()).hexdigest()


def chain(records, prev=""):
    """The records with their hashes."""
    sealed = []
    for record in records:
        digest = record_hash(prev, record)
        sealed.append({**record, "prev_hash": prev, "record_hash": digest})
        prev = digest
    return sealed


def lines(sealed):
    return [canonical(record) for record in sealed]


def text(all_lines):
    return "".join(line + "\n" for line in all_lines)


def sound(name, records):
    sealed = chain(records)
    head = sealed[-1]["record_hash"] if sealed else ""
    return {"name": name, "text": text(lines(sealed)), "records": len(sealed), "head": head}


def broken(name, body, *at):
    """`at`: the broken lines, counted from 1, as the definition above finds them."""
    return {"name": name, "text": body, "lines": list(at)}


def changed(at, **fields):
    """The chain with one record changed and everything else, its hashes too, as it was."""
    sealed = chain(RECORDS)
    sealed[at - 1] = {**sealed[at - 1], **fields}
    return text(lines(sealed))


def resealed(at, **fields):
    """The chain with one record changed and its own hash made right again."""
    sealed = chain(RECORDS)
    record = {**RECORDS[at - 1], **fields}
    prev = sealed[at - 1]["prev_hash"]
    sealed[at - 1] = chain([record], prev)[0]
    return text(lines(sealed))


def chains():
    whole = lines(chain(RECORDS))
    good = text(whole)
    a, b, c, d, e, f = whole
    second = lines(chain([{**r, "ts": r["ts"] + 1} for r in RECORDS[:2]]))
    first_wrong = chain(RECORDS, prev="0" * 64)
    return {
        "sound": [
            sound("six records", RECORDS), sound("one record", RECORDS[:1]), sound("no record", []),
            sound("the first five", RECORDS[:5]),
            sound("a record of somebody else", [{"seq": 1, "event": "x", "ts": 0, "prev": "", "hash": "prev_hash"}]),
        ],
        "broken": [
            broken("a field changed in the first line", changed(1, ts=1767225609), 1),
            broken("a field changed in the middle", changed(3, reason="none"), 3),
            broken("a field changed in the last line", changed(6, event="x"), 6),
            broken("a field added", changed(2, by="me"), 2),
            broken("a nested value changed", good.replace('"x":null', '"x":0'), 5),
            broken("one letter of a hash", good.replace(json.loads(b)["record_hash"], "0" * 64, 1), 2, 3),
            broken("a field changed, its hash made right", resealed(3, reason="none"), 4),
            broken("the first line changed, its hash made right", resealed(1, ts=1), 2),
            broken("swapped lines", text([a, c, b, d, e, f]), 2, 3, 4),
            broken("a missing line", text([a, b, d, e, f]), 3),
            broken("the first line missing", text([b, c, d, e, f]), 1),
            broken("a repeated line", text([a, b, b, c, d, e, f]), 3),
            broken("a second chain started in the middle", text([a, b, c] + second), 4),
            broken("two chains joined", good + good, 7),
            broken("a first prev_hash that isn't empty", text(lines(first_wrong)), 1),
            broken("a torn last line", text([a, b, c]) + d[: len(d) // 2], 4),
            broken("a last line without its line feed", good[:-1], 6),
            broken("CRLF", text([a, b + "\r", c]), 2),
            broken("an empty line", text([a, b, "", c]), 3),
            broken("a line that is no object", text([a, b, "[]", c]), 3, 4),
            broken("a duplicate key", text([a, b.replace('"event":', '"event":"x","event":', 1), c]), 2),
            broken("no record_hash", text([a, canonical({k: v for k, v in json.loads(b).items() if k != "record_hash"})]), 2),
            broken("no prev_hash", text([a, canonical({k: v for k, v in json.loads(b).items() if k != "prev_hash"})]), 2),
            broken("a hash in upper case", text([a, canonical({**json.loads(b), "record_hash": json.loads(b)["record_hash"].upper()})]), 2),
        ],
    }
