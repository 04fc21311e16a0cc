# Verifies an audit log with nothing but Python's own JSON and SHA-256.
import hashlib
import json
import sys

previous = ""
with open(sys.argv[1], "rb") as log:
    for number, line in enumerate(log, 1):
        record = json.loads(line)
        claimed = record.pop("record_hash")
        assert record.pop("prev_hash") == previous, f"line {number}: another prev_hash"
        canonical = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        previous = hashlib.sha256(f"{previous}|{canonical}".encode()).hexdigest()
        assert claimed == previous, f"line {number}: another record_hash"
        assert record["seq"] == number, f"line {number}: another seq"
        assert isinstance(record["ts"], int) and isinstance(record["event"], str), f"line {number}"
print(previous)
