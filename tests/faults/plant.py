"""Plants one violation of each promise into copies of a sound run: the checker must find every one.

usage: plant.py RUN_FOLDER
"""

import copy
import json
import pathlib
import shutil
import sys
import tempfile

import check


def rewrite(folder, name, change):
    path = pathlib.Path(folder) / f"{name}.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    rows = change(rows)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def due_id(folder):
    """A message that a person heard of."""
    return next(row["id"] for row in check.read(folder, "published") if row["due"])


def case_row(rows):
    """The record of a case with an alert that was sent."""
    return next(row["body"]["body"] for row in rows if any(intent["state"]["is"] == "sent" for intent in row["body"]["body"]["intents"]))


def verdict_lost(folder):
    key = due_id(folder)
    rewrite(folder, "verdicts", lambda rows: [row for row in rows if row["body"]["verdict"]["id"] != key])


def verdicts_disagree(folder):
    def change(rows):
        other = copy.deepcopy(rows[0])
        other["body"]["verdict"]["level"] = 1
        return [*rows, other]

    rewrite(folder, "verdicts", change)


def due_without_case(folder):
    key = due_id(folder)

    def forget(rows):
        for row in rows:
            if row["body"]["decision"]["id"] == key:
                row["body"]["decision"]["case"] = None
        return rows

    def leave(rows):
        for row in rows:
            case = row["body"]["body"]
            case["messages"] = [message for message in case["messages"] if message["id"] != key]
        return rows

    rewrite(folder, "decisions", forget)
    rewrite(folder, "cases", leave)


def counted_twice(folder):
    def change(rows):
        counts = case_row(rows)["counts"]
        counts[next(iter(counts))] += 1
        return rows

    rewrite(folder, "cases", change)


def never_delivered(folder):
    sent = {intent["message_id"] for intent in case_row(check.read(folder, "cases"))["intents"]}
    rewrite(folder, "smtp", lambda rows: [row for row in rows if row["message_id"] not in sent])


def sent_after_acknowledgement(folder):
    body = case_row(check.read(folder, "cases"))
    mails = [row for row in check.read(folder, "smtp") if body["id"] in (row["subject"] or "")]
    first = min(row["began"] for row in mails)
    at = check.datetime.datetime.fromtimestamp(first - 60, check.datetime.timezone.utc).isoformat()

    def change(rows):
        entry = copy.deepcopy(next(row for row in rows if row["body"]["case"] == body["id"]))
        entry["body"].update({"event": "acknowledged", "at": at, "n": 10**6})
        return [*rows, entry]

    rewrite(folder, "history", change)
    rewrite(folder, "faults", lambda rows: [row for row in rows if row["at"] > first])


def planned_twice(folder):
    def change(rows):
        intents = case_row(rows)["intents"]
        intents.append(copy.deepcopy(intents[0]))
        return rows

    rewrite(folder, "cases", change)


def stray_mail(folder):
    rewrite(folder, "smtp", lambda rows: [*rows, {**rows[0], "message_id": "stray@example.jp"}])


def repeated_without_fault(folder):
    rewrite(folder, "smtp", lambda rows: [*rows, {**rows[-1], "at": rows[-1]["at"] + 10_000}])


def event_missing(folder):
    key = case_row(check.read(folder, "cases"))["id"]
    rewrite(folder, "history", lambda rows: [row for row in rows if not (row["body"]["case"] == key and row["body"]["n"] == 2)])


def sent_early(folder):
    once = check.collections.Counter(row["message_id"] for row in check.read(folder, "smtp"))

    def change(rows):
        sent = {intent["message_id"] for row in check.read(folder, "cases") for intent in row["body"]["body"]["intents"] if intent["state"]["is"] == "sent"}
        row = next(row for row in rows if once[row["message_id"]] == 1 and row["message_id"] in sent)
        row["began"] -= 100
        return rows

    rewrite(folder, "smtp", change)


def given_up(folder):
    key = due_id(folder)
    rewrite(folder, "dead", lambda rows: [*rows, {"subject": "triage.dead.default", "stored": 0, "body": {"id": key, "code": "crash"}}])


PLANTS = {
    verdict_lost: "i1_",
    verdicts_disagree: "i2_",
    due_without_case: "i3_each",
    counted_twice: "i3_counts",
    never_delivered: "i4_",
    sent_after_acknowledgement: "i5_",
    planned_twice: "i6_one",
    stray_mail: "i6_every",
    repeated_without_fault: "i7_",
    event_missing: "i8_",
    sent_early: "i9_",
    given_up: "i11_",
}


def main(folder):
    missed = 0
    for plant, name in PLANTS.items():
        with tempfile.TemporaryDirectory() as scratch:
            spoilt = pathlib.Path(scratch) / "run"
            shutil.copytree(folder, spoilt, ignore=lambda _, names: [name for name in names if not name.endswith(".jsonl")])
            plant(spoilt)
            found = [check_name for check_name, (_, wrong) in check.check(spoilt).items() if wrong and check_name.startswith(name)]
        missed += not found
        print(f"{'found ' if found else 'MISSED'} {plant.__name__}")
    print(f"{len(PLANTS) - missed} of {len(PLANTS)} planted violations found")
    return missed


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1]) else 0)
