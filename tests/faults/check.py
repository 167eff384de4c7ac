"""The history checker: does what a run left behind keep the promises? It shares no code with the worker and reads only files.

usage: check.py RUN_FOLDER

published.jsonl  the publisher's log        {id, due, at, seq, tries}
verdicts.jsonl, decisions.jsonl, dead.jsonl, history.jsonl, cases.jsonl   {subject, stored, body}
smtp.jsonl       the mail server's log      {at, began, to, message_id, subject, answered}
faults.jsonl     what was done to the run   {at, until, kind, target}
"""

import collections
import datetime
import json
import pathlib
import re
import sys

ACK_GRACE = 1.0
"""Seconds after an acknowledgement in which a send may still begin."""

FAULT_BEFORE = 90.0
"""Seconds before a repeated delivery in which a fault must lie: a lease of 60 s, and what it takes to notice."""

EARLY = 0.05
"""Seconds by which clocks of one machine may disagree."""

WITNESSES = 5
CASE = re.compile(r"C-[A-Z0-9]{8}")


def read(folder, name):
    path = pathlib.Path(folder) / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def seconds(text):
    """RFC 3339 to seconds; nanoseconds are cut."""
    text = re.sub(r"(\.\d{6})\d+", r"\1", text.replace("Z", "+00:00"))
    return datetime.datetime.fromisoformat(text).timestamp()


def is_flagged(verdict):
    return verdict["level"] >= 2


class Run:
    """Everything of a run, indexed."""

    def __init__(self, folder):
        self.published = {row["id"]: row for row in read(folder, "published")}
        self.verdicts = collections.defaultdict(list)
        for row in read(folder, "verdicts"):
            self.verdicts[row["body"]["verdict"]["id"]].append({**row["body"]["verdict"], "stored": row["stored"]})
        self.decisions = collections.defaultdict(list)
        for row in read(folder, "decisions"):
            self.decisions[row["body"]["decision"]["id"]].append(row["body"]["decision"])
        self.dead = [row["body"] for row in read(folder, "dead")]
        self.cases = {}
        for row in read(folder, "cases"):
            body = row["body"]["body"]
            self.cases[body["id"]] = body
        self.history = collections.defaultdict(list)
        for row in read(folder, "history"):
            self.history[row["body"]["case"]].append(row["body"])
        self.mails = read(folder, "smtp")
        self.faults = read(folder, "faults")

    def has_fault(self, at, before=FAULT_BEFORE, kinds=None):
        wanted = (fault for fault in self.faults if kinds is None or fault["kind"] in kinds)
        return any(fault["at"] <= at and at - before <= fault["until"] for fault in wanted)


def i1_every_accepted_message_has_a_verdict(run):
    dead = {row.get("id") for row in run.dead}
    for key in run.published:
        yield key, None if key in run.verdicts or key in dead else "no verdict and no dead letter"


def i2_verdicts_of_one_message_agree(run):
    for key, found in run.verdicts.items():
        said = {(row["level"], tuple(sorted(row["categories"])), tuple(sorted(row["lanes"]))) for row in found}
        yield key, None if len(said) == 1 else f"{len(said)} different verdicts"


def i3_each_alert_due_message_is_in_one_case(run):
    lists = collections.defaultdict(set)
    for case in run.cases.values():
        for message in case["messages"]:
            lists[message["id"]].add(case["id"])
    for key, row in run.published.items():
        found = run.verdicts.get(key, [])
        if not row["due"]:
            if any(is_flagged(verdict) for verdict in found):
                yield key, "an ordinary message is flagged"
            continue
        cases = {decision["case"] for decision in run.decisions.get(key, []) if decision.get("case")} | lists[key]
        if found and not all(is_flagged(verdict) for verdict in found):
            yield key, "a threat is not flagged"
        elif len(cases) != 1:
            yield key, f"in {len(cases)} cases: {sorted(cases)}"
        else:
            yield key, None if cases <= run.cases.keys() else f"its case {cases} is not in the store"


def i3_counts_of_cases_are_those_of_their_messages(run):
    told = collections.Counter()
    for decisions in run.decisions.values():
        for case in {decision["case"] for decision in decisions if decision.get("case")}:
            told[case] += 1
    for key, case in run.cases.items():
        count = sum(case["counts"].values())
        yield key, None if count == told[key] else f"counts {count} messages, decisions name it {told[key]} times"


def was_taken_before_the_mail(case, events):
    """A person took the case at a terminal after a mail had been refused and before it was tried again: it has reached somebody."""
    tried = any(event["event"] == "alert_retried" for event in events)
    taken = any(event["event"] == "acknowledged" for event in events)
    return tried and taken and all(intent["state"]["is"] == "cancelled" for intent in case["intents"])


def i4_each_case_reached_a_person(run):
    accepted = {mail["message_id"] for mail in run.mails}
    for key, case in run.cases.items():
        sent = [intent for intent in case["intents"] if intent["state"]["is"] == "sent"]
        false = [intent["message_id"] for intent in sent if intent["message_id"] not in accepted]
        told = any(CASE.search(mail["subject"] or "") and key in mail["subject"] for mail in run.mails)
        told = told or was_taken_before_the_mail(case, run.history[key])
        yield key, f"recorded as sent, never accepted: {false}" if false else None if told else "nobody was told"


def i5_no_send_begins_after_an_acknowledgement(run):
    """A worker that was stopped (SIGSTOP) between its intent and its connection cannot know; such a send needs that fault."""
    taken = collections.defaultdict(list)
    for key, events in run.history.items():
        spans, since = [], None
        for event in sorted(events, key=lambda event: event["n"]):
            if event["event"] == "acknowledged":
                since = seconds(event["at"])
            elif since is not None and event["event"] in ("raised", "returned", "flagged", "handed_over"):
                spans.append((since, seconds(event["at"])))
                since = None
        if since is not None:
            spans.append((since, float("inf")))
        taken[key] = spans
    for mail in run.mails:
        for key in CASE.findall(mail["subject"] or ""):
            late = [span for span in taken[key] if span[0] + ACK_GRACE < mail["began"] < span[1]]
            excused = run.has_fault(mail["began"], 30.0, {"worker-stop", "proxy-frozen", "proxy-slow"})
            yield mail["message_id"], f"begun {mail['began'] - late[0][0]:.1f} s after the acknowledgement of {key}" if late and not excused else None


def i6_one_alert_per_person_step_and_channel(run):
    for key, case in run.cases.items():
        seen = collections.Counter((intent["track"], intent["step"], intent["moment"], intent["level"], intent["to"]["person"], intent["to"]["channel"], intent["message_id"]) for intent in case["intents"])
        ids = collections.Counter(intent["message_id"] for intent in case["intents"])
        twice = [row for row in seen if seen[row] > 1] + [row for row in ids if ids[row] > 1]
        yield key, f"planned twice: {twice[:2]}" if twice else None


def i6_every_mail_belongs_to_an_alert(run):
    known = {intent["message_id"]: case["id"] for case in run.cases.values() for intent in case["intents"]}
    for mail in run.mails:
        yield mail["message_id"], None if mail["message_id"] in known else f"no case knows this mail: {mail['subject']}"


def i7_repeated_deliveries_have_a_fault_and_one_id(run):
    by_alert = collections.defaultdict(list)
    for mail in run.mails:
        by_alert[mail["message_id"], tuple(mail["to"])].append(mail)
    for (key, _), mails in by_alert.items():
        mails.sort(key=lambda mail: mail["at"])
        bare = [mail for mail in mails[1:] if not run.has_fault(mail["at"])]
        yield key, f"delivered {len(mails)} times, and nothing was broken" if bare else None


def i8_histories_are_whole_and_in_order(run):
    for key, case in run.cases.items():
        numbers = sorted(event["n"] for event in run.history.get(key, []))
        yield key, None if numbers == list(range(1, case["event_count"] + 1)) else f"events {numbers[:3]}…{numbers[-3:]} of {case['event_count']}"


def i9_nothing_is_sent_early(run):
    due = {intent["message_id"]: seconds(intent["due_at"]) for case in run.cases.values() for intent in case["intents"] if intent["state"]["is"] == "sent"}
    for mail in run.mails:
        at = due.get(mail["message_id"])
        # A repeated try moves the due time; the first one is what the ladder asked for.
        is_first = sum(1 for other in run.mails_of[mail["message_id"]]) == 1
        yield mail["message_id"], f"{at - mail['began']:.2f} s early" if at and is_first and mail["began"] < at - EARLY else None


def i11_dead_letters_and_verdicts_are_what_was_accepted(run):
    dead = {row.get("id") for row in run.dead}
    for key in run.verdicts:
        yield key, None if key in run.published else "a verdict on a message that was never accepted"
    for key in dead:
        yield key, "a well-formed message was given up"


CHECKS = [
    i1_every_accepted_message_has_a_verdict,
    i2_verdicts_of_one_message_agree,
    i3_each_alert_due_message_is_in_one_case,
    i3_counts_of_cases_are_those_of_their_messages,
    i4_each_case_reached_a_person,
    i5_no_send_begins_after_an_acknowledgement,
    i6_one_alert_per_person_step_and_channel,
    i6_every_mail_belongs_to_an_alert,
    i7_repeated_deliveries_have_a_fault_and_one_id,
    i8_histories_are_whole_and_in_order,
    i9_nothing_is_sent_early,
    i11_dead_letters_and_verdicts_are_what_was_accepted,
]


def check(folder):
    """Every check: name → (how many were looked at, violations)."""
    run = Run(folder)
    run.mails_of = collections.defaultdict(list)
    for mail in run.mails:
        run.mails_of[mail["message_id"]].append(mail)
    results = {}
    for look in CHECKS:
        looked, wrong = 0, []
        for key, why in look(run):
            looked += 1
            if why:
                wrong.append(f"{key}: {why}")
        results[look.__name__] = (looked, wrong)
    return results


def show(results, out=sys.stdout):
    """A table; answers whether every promise was kept."""
    for name, (looked, wrong) in results.items():
        print(f"{'FAIL' if wrong else 'ok  '} {name.replace('_', ' '):<62} {looked:>8} looked at {len(wrong):>5} violations", file=out)
        for row in wrong[:WITNESSES]:
            print(f"       {row}", file=out)
    return not any(wrong for _, wrong in results.values())


if __name__ == "__main__":
    sys.exit(0 if show(check(sys.argv[1])) else 1)
