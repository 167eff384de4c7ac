//! Escalation on a virtual clock: random policies with and without working hours, people who acknowledge, pass and forget, mail
//! servers that fail, workers that die and race. What hours mean is counted second by second, apart from the product's way. Any seed replays exactly: `MIMAMORI_SEED=n` runs that one, `MIMAMORI_SEEDS=n` so many.

use jiff::{SignedDuration, Timestamp};
use mimamori::case::intents::Attempt;
use mimamori::case::people::Taking;
use mimamori::case::summary::Summary;
use mimamori::case::transitions::Joining;
use mimamori::case::{CaseMessage, CaseRecord, CaseState, Happening, Intent, IntentState};
use mimamori::diag::SourceText;
use mimamori::model::digest::Digest;
use mimamori::model::ids::{MessageId, QueueName, Tenant};
use mimamori::model::message::Channel;
use mimamori::model::severity::{Category, Level};
use mimamori::policy::climb::Climb;
use mimamori::policy::{Policy, Track};
use mimamori::store::record;
use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::time::Duration;

/// Seeds of one ordinary run; the long form is `MIMAMORI_SEEDS=20000`.
const SEEDS: u64 = 200;

/// Virtual seconds between two turns of a worker.
const TURN: i64 = 1;

/// A living worker has done what is due after so many seconds.
const GRACE: i64 = 2;

/// Virtual time of one seed, in seconds.
const SPAN: i64 = 3 * 3600;

/// Virtual time for which the open seconds are known: waits that end later are only seen to be later.
const HORIZON: i64 = SPAN + 6 * 3600;

/// SplitMix64: small, and the same on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.roll(from.len() as u64)).unwrap()]
    }
}

const PEOPLE: [&str; 5] = ["a", "b", "c", "d", "e"];
const ZONES: [&str; 4] = ["Asia/Tokyo", "America/New_York", "Europe/London", "Australia/Lord_Howe"];

/// A random but sound policy: anybody may be away, spared a kind, or gone; ladders have one to four rungs.
fn policy_text(dice: &mut Dice) -> String {
    let mut text = format!(
        "format = 2\nversion = \"{}\"\neffective = \"2026-10-01\"\ntime_zone = \"{}\"\n[sender]\naddress = \"m@example.jp\"\n\
         [channels.mail]\nkind = \"mail\"\n[channels.pager]\nkind = \"webhook\"\nwakes = true\n",
        dice.roll(9),
        dice.pick(&ZONES)
    );
    for person in PEOPLE {
        writeln!(text, "[people.{person}]\nname = \"{person}さん\"\nreach = {{ mail = \"{person}@example.jp\", pager = \"{person}\" }}")
            .unwrap();
        // The first person stays, so that there is somebody.
        if person != "a" && dice.one_in(4) {
            text += "absent = [{ from = \"2026-10-31\", to = \"2026-11-01\" }]\n";
        }
        if dice.one_in(4) && person != "a" {
            text += "avoid = [\"sexual\"]\n";
        }
        if person != "a" && dice.one_in(6) {
            text += "disabled = true\n";
        }
    }
    text += "[teams.all]\nmembers = [\"a\", \"b\", \"c\", \"d\", \"e\"]\n[teams.two]\nmembers = [\"a\", \"b\"]\n";
    text += "[digests.d]\nto = [\"a\"]\nby = [\"mail\"]\nat = [\"07:30\"]\n\
             lanes = [\"safety_incident\", \"rights_assertion\", \"third_party_report\", \"accommodation\", \"staff_misconduct\"]\n";
    text += &hours_text(dice);
    ladder_text(&mut text, "u", false, dice);
    let sleeps = dice.one_in(2);
    ladder_text(&mut text, "l", sleeps, dice);
    text + "[[route]]\ntrack = \"care\"\nladder = \"u\"\n[[route]]\ntrack = \"safety\"\nladder = \"u\"\n\
            [[route]]\ntrack = \"harassment\"\nlevels = [4]\nladder = \"u\"\n[[route]]\nladder = \"l\"\n"
}

/// Hours with many edges: some within the three hours of a seed, in whatever zone.
fn hours_text(dice: &mut Dice) -> String {
    let mut text = "[calendar]\njapanese_holidays = false\nyear_end = []\n[hours.h]\nmon = [\"00:00-24:00\"]\n".to_owned();
    for day in ["sat", "sun"] {
        let mut stretches = vec![];
        let mut minute = dice.roll(90);
        while minute < 24 * 60 {
            let end = minute + 5 + dice.roll(120);
            let (close, next) = (end % (24 * 60), end + 1 + dice.roll(100));
            stretches.push(format!("\"{:02}:{:02}-{:02}:{:02}\"", minute / 60, minute % 60, close / 60, close % 60));
            minute = next;
        }
        // One that runs into the next day must not meet the first of that day.
        stretches.pop();
        writeln!(text, "{day} = [{}]", stretches.join(", ")).unwrap();
    }
    text
}

fn ladder_text(text: &mut String, id: &str, sleeps: bool, dice: &mut Dice) {
    let names = ["a", "b", "c", "all", "two"];
    writeln!(text, "[ladders.{id}]\nreturn_after_minutes = {}", 1 + dice.roll(60)).unwrap();
    if sleeps {
        *text += "hours = \"h\"\n";
    }
    if dice.one_in(3) {
        *text += "acknowledge_by = [\"two\", \"all\"]\n";
    }
    let mut after = 0;
    for _ in 0..=dice.roll(4) {
        // The first person is on every rung, so that every policy is reachable; who else is, is chance.
        let to = format!("\"a\", \"{}\"", dice.pick(&names));
        writeln!(text, "[[ladders.{id}.step]]\nto = [{to}]\nby = [\"mail\", \"pager\"]\nafter_minutes = {after}").unwrap();
        if dice.one_in(2) {
            writeln!(text, "repeat_minutes = {}\nrepeat_max = {}", 1 + dice.roll(5), 1 + dice.roll(3)).unwrap();
        }
        after += 1 + dice.roll(10);
    }
    let every = 1 + dice.roll(10);
    writeln!(text, "[ladders.{id}.finally]\nto = [\"all\"]\nby = [\"mail\", \"pager\"]\nafter_minutes = {after}\nevery_minutes = {every}")
        .unwrap();
}

/// Which seconds of a world are open, from the stretches as they stand in the policy.
fn open_seconds(policy: &Policy) -> Vec<bool> {
    let (hours, zone) = (&policy.hours[0], &policy.time_zone);
    let second = |date: jiff::civil::Date, minute: u16| {
        let midnight = date.at(0, 0, 0, 0);
        let wall = midnight + SignedDuration::from_mins(i64::from(minute));
        // A wall time that exists twice is its first, one that does not exist is the moment after the gap.
        let at = zone.to_timestamp(wall).unwrap();
        at.duration_since(start()).as_secs()
    };
    let mut open = vec![false; usize::try_from(HORIZON).unwrap()];
    let first = zone.to_datetime(start()).date().yesterday().unwrap();
    for date in first.series(jiff::Span::new().days(1)).take(4) {
        let day = usize::try_from(date.weekday().since(jiff::civil::Weekday::Monday)).unwrap();
        for stretch in &hours.week[day] {
            for at in second(date, stretch.from).max(0)..second(date, stretch.to).min(HORIZON) {
                open[usize::try_from(at).unwrap()] = true;
            }
        }
    }
    open
}

fn policy(dice: &mut Dice) -> Policy {
    let text = policy_text(dice);
    let (policy, faults) = Policy::parse(&SourceText { name: "policy.toml".into(), text: text.clone() });
    policy.unwrap_or_else(|| panic!("{text}\n{faults:#?}"))
}

fn joining(n: u64, dice: &mut Dice) -> Joining {
    let level = *dice.pick(&[Level::Suspected, Level::Severe, Level::Emergency]);
    let track = *dice.pick(&[Track::Harassment, Track::Harassment, Track::Care]);
    Joining {
        categories: vec![*dice.pick(&[Category::Insult, Category::Sexual])],
        ..Joining::new(
            CaseMessage {
                identity: format!("i{n}"),
                id: MessageId(format!("m{n}")),
                level,
                channel: Channel::Chat,
                received_at: start(),
                evidence: Digest::of(b"raw"),
            },
            [(track, Summary { level, ..Summary::default() })].into(),
        )
    }
}

/// The night in which New York leaves summer time, and London has just.
fn start() -> Timestamp {
    "2026-11-01T05:00:00Z".parse().unwrap()
}

/// One worker: what it has begun to send, with the second at which the answer comes.
#[derive(Default)]
struct Hand {
    under_way: Vec<(i64, u32, Attempt)>,
    dead_until: i64,
}

/// A world of one case, two workers and some people.
struct World {
    policy: Policy,
    /// What [`open_seconds`] says of it.
    open: Vec<bool>,
    /// Some policy so far had working hours: what was planned under it may lie far ahead.
    has_slept: bool,
    stored: CaseRecord,
    hands: [Hand; 2],
    second: i64,
    /// Second of the acknowledgement that stands, if one does.
    taken_at: Option<i64>,
    log: Vec<String>,
}

impl World {
    fn now(&self) -> Timestamp {
        start() + SignedDuration::from_secs(self.second)
    }

    fn load(&self) -> CaseRecord {
        self.stored.clone()
    }

    fn store(&mut self, case: &CaseRecord) {
        self.stored = case.clone();
        self.taken_at = match (&case.state, self.taken_at) {
            (CaseState::Open, _) => None,
            (_, None) => Some(self.second),
            (_, known) => known,
        };
    }

    /// One turn of a worker: climb, then begin what is due. It may die between any two stored changes.
    fn turn(&mut self, worker: usize, dice: &mut Dice) {
        if self.second < self.hands[worker].dead_until {
            return;
        }
        let now = self.now();
        if self.stored.next_due.is_none_or(|due| due > now) {
            return;
        }
        let mut case = self.load();
        let before = case.climbs.clone();
        if case.advance(&self.policy, now) {
            self.waits_are_right(&before, &case);
            if dice.one_in(20) {
                return self.die(worker, dice); // nothing stored
            }
            self.store(&case);
        }
        for number in case.due(now) {
            // The other worker may have been first: decide on what is stored.
            let mut case = self.load();
            let due_at = case.intent(number).map(|intent| intent.due_at);
            let Some(intent) = case.begin_send(number, now) else {
                self.store(&case);
                continue;
            };
            assert!(due_at.is_some_and(|at| at <= now), "early: {intent:?}");
            assert!(self.taken_at.is_none(), "a send began after the acknowledgement: {intent:?}");
            assert!(self.hands.iter().flat_map(|hand| &hand.under_way).all(|(_, other, _)| *other != number), "two senders: {intent:?}");
            self.store(&case);
            self.log.push(format!("{} {} {}", self.second, intent.message_id, intent.to.channel));
            if dice.one_in(30) {
                return self.die(worker, dice); // begun, not answered
            }
            let answer = match dice.roll(10) {
                0 => Attempt::Refused { reason: "refused".into() },
                1 | 2 => Attempt::Later { at_least: Duration::ZERO, reason: "busy".into() },
                _ => Attempt::Sent,
            };
            let takes = i64::try_from(dice.roll(40)).unwrap();
            self.hands[worker].under_way.push((self.second + takes, number, answer));
        }
    }

    /// Nothing fires before it is due, and what comes next is due neither a second early nor late.
    fn waits_are_right(&self, before: &BTreeMap<Track, Climb>, case: &CaseRecord) {
        for (track, climb) in &case.climbs {
            let moved = before.get(track).is_none_or(|known| known.next != climb.next);
            let ladder = case.ladder(*track, &self.policy);
            if !moved {
                continue;
            }
            let is_returned = before.get(track).is_none_or(|known| known.started_at != climb.started_at);
            let sleeps = ladder.hours.is_some();
            assert!(!sleeps || is_returned || before[track].due <= self.now(), "fired early: {climb:?}");
            let gap = climb.next.checked_sub(1).map_or(ladder.moment(0).after, |fired| ladder.gap(fired));
            let gap = i64::try_from(gap.as_secs()).unwrap();
            let expected = if sleeps { self.after(gap) } else { Some(self.second + gap) };
            match expected {
                Some(second) => assert_eq!(climb.due.duration_since(start()).as_secs(), second, "{track:?} {climb:?} at {}", self.now()),
                None => assert!(climb.due.duration_since(start()).as_secs() >= HORIZON, "{climb:?} is due in hours that are closed"),
            }
        }
    }

    /// The second at which so many open ones have passed from now on; none if that is beyond the horizon.
    fn after(&self, gap: i64) -> Option<i64> {
        let mut left = gap;
        for second in self.second..HORIZON {
            let is_open = self.open[usize::try_from(second).unwrap()];
            if is_open && left == 0 {
                return Some(second);
            }
            left -= i64::from(is_open);
        }
        None
    }

    /// What a dead worker leaves is what was stored, read back from its bytes.
    fn die(&mut self, worker: usize, dice: &mut Dice) {
        self.stored = record::decode(&record::encode(&self.stored).unwrap()).unwrap();
        self.hands[worker].under_way.clear();
        self.hands[worker].dead_until = self.second + 1 + i64::try_from(dice.roll(300)).unwrap();
    }

    fn answers(&mut self, worker: usize) {
        let second = self.second;
        let (ready, waiting): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.hands[worker].under_way).into_iter().partition(|one| one.0 <= second);
        self.hands[worker].under_way = waiting;
        if ready.is_empty() {
            return;
        }
        for (_, number, answer) in ready {
            let mut case = self.load();
            case.finish_send(number, &answer, &self.policy, self.now());
            self.store(&case);
        }
    }

    fn people(&mut self, dice: &mut Dice) {
        let (mut case, who, now) = (self.load(), *dice.pick(&PEOPLE), self.now());
        match dice.roll(6) {
            0 => _ = case.hand_over(who, &self.policy, now),
            1 => case.remark(who, "見ています", &self.policy, now),
            _ => {
                let taking = case.acknowledge(who, &self.policy, now);
                assert_eq!(matches!(taking, Taking::Whole), matches!(case.state, CaseState::Acknowledged { .. }) && taking.is_new());
            }
        }
        self.store(&case);
    }

    /// Whatever the state, somebody is told in time: an open case has something due within the longest wait of its ladders.
    fn check(&self) {
        let (case, now) = (&self.stored, self.now());
        match &case.state {
            CaseState::Open => {
                for track in &case.tracks {
                    let climb = case.climbs.get(track).unwrap_or_else(|| panic!("no climb for {track:?}"));
                    let ladder = case.ladder(*track, &self.policy);
                    let wait = SignedDuration::try_from(ladder.gap(climb.next.saturating_sub(1))).unwrap();
                    // One that sleeps is held to the second where it fires.
                    assert!(self.has_slept || climb.due <= now + wait.max(SignedDuration::from_mins(11)), "nothing comes: {climb:?}");
                }
                let alive = self.hands.iter().any(|hand| hand.dead_until + GRACE <= self.second);
                let late = now - SignedDuration::from_secs(GRACE);
                assert!(!alive || case.next_due.is_some_and(|due| due >= late), "skipped: {:?} at {now}", case.next_due);
            }
            CaseState::Acknowledged { .. } => assert!(case.return_at.is_some(), "taken and forgotten"),
            CaseState::Closed { .. } => {}
        }
    }
}

/// Runs one seed; answers its log.
fn run(seed: u64) -> Vec<String> {
    let mut dice = Dice(seed);
    let policy = policy(&mut dice);
    let mut case = CaseRecord::open(&Tenant::default(), &QueueName::default(), "scope", 1, &policy, start());
    let mut messages = 1;
    case.join(&joining(0, &mut dice), &policy, start());
    let open = open_seconds(&policy);
    let has_slept = policy.ladders.iter().any(|ladder| ladder.hours.is_some());
    let mut world =
        World { policy, open, has_slept, stored: case.clone(), hands: Default::default(), second: 0, taken_at: None, log: vec![] };
    world.store(&case);
    world.waits_are_right(&BTreeMap::new(), &case);
    let calm = dice.one_in(3);
    let mut changed = false;
    while world.second < SPAN {
        for worker in 0..2 {
            world.answers(worker);
            world.turn(worker, &mut dice);
        }
        if !calm && dice.one_in(900) {
            world.people(&mut dice);
        }
        if dice.one_in(2_000) {
            let mut case = world.load();
            case.join(&joining(messages, &mut dice), &world.policy, world.now());
            messages += 1;
            world.store(&case);
        }
        if dice.one_in(3_000) {
            world.policy = self::policy(&mut dice);
            world.open = open_seconds(&world.policy);
            world.has_slept |= world.policy.ladders.iter().any(|ladder| ladder.hours.is_some());
            changed = true;
        }
        if world.second % 60 == 0 {
            world.check();
        }
        world.second += TURN;
    }
    finish(&world, calm, changed, seed);
    world.log
}

/// Nobody acknowledged: everybody who can be told was told, and each alert has one id.
fn finish(world: &World, calm: bool, changed: bool, seed: u64) {
    let case = world.load();
    // A case that may sleep is owed what the open hours allow: a worker may lie dead for five minutes, a mail server fail for some.
    let open_for = (0..SPAN).filter(|second| world.open[usize::try_from(*second).unwrap()]).count();
    let sleeps = case.tracks.iter().all(|track| case.ladder(*track, &world.policy).hours.is_some());
    let is_owed = !sleeps || (open_for >= 5_400 && !changed);
    assert!(!calm || case.state == CaseState::Open, "seed {seed}");
    if calm && is_owed {
        let tried = |intent: &&Intent| !matches!(intent.state, IntentState::Cancelled);
        assert!(case.intents.iter().filter(tried).count() > 2, "seed {seed}: hardly anybody was told");
        assert!(case.events.iter().any(|event| event.what == Happening::AlertSent), "seed {seed}: nobody was reached in three hours");
    }
    let mut channels: BTreeMap<&str, &str> = BTreeMap::new();
    for line in &world.log {
        let mut words = line.split(' ').skip(1);
        let (id, channel) = (words.next().unwrap(), words.next().unwrap());
        assert_eq!(*channels.entry(id).or_insert(channel), channel, "seed {seed}: one id on two channels");
    }
}

#[test]
fn escalation_holds_under_any_seed() {
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds: Vec<u64> =
        number("MIMAMORI_SEED").map_or_else(|| (0..number("MIMAMORI_SEEDS").unwrap_or(SEEDS)).collect(), |seed| vec![seed]);
    for seed in seeds {
        let outcome = std::panic::catch_unwind(|| run(seed));
        assert!(outcome.is_ok(), "replay with MIMAMORI_SEED={seed}");
    }
    assert_eq!(run(7), run(7), "a seed replays exactly");
}
