//! Cases that are not real: a drill climbs the real ladder, a check tells everybody once. Neither counts in any figure.

use crate::case::intents::{push, refresh};
use crate::case::summary::{Origin, Reason, Summary};
use crate::case::transitions::{Joining, MACHINE};
use crate::case::{CaseMessage, CaseRecord, Happening, Occasion, Step};
use crate::model::digest::Digest;
use crate::model::ids::{MessageId, QueueName, Tenant};
use crate::model::message::Channel;
use crate::model::severity::{Category, Level};
use crate::policy::climb::Fired;
use crate::policy::{Policy, Recipient, Track};
use crate::store::StoreError;
use crate::store::record::Change;
use crate::worker::desk::Desk;
use crate::worker::enroll::case_key;
use jiff::{SignedDuration, Timestamp};

/// Time to confirm a check: a working day's beginning.
const CHECK_TIME: SignedDuration = SignedDuration::from_hours(24);

impl Desk {
    /// Opens a drill: the ladder of that track and level, marked 【訓練】. `by` is who ordered it.
    pub async fn drill(&self, track: Track, level: Level, queue: &QueueName, by: &str) -> Result<CaseRecord, StoreError> {
        let (policy, now) = (self.policy(), Timestamp::now());
        let mut case = blank("drill", queue, Occasion::Drill, &policy, now);
        case.join(&joining(track, level, now), &policy, now);
        case.note(now, Happening::Noted, by, "訓練");
        self.store_new(case).await
    }

    /// Tells everybody of `people` (keys; empty: all who are not disabled) once over every channel they have.
    pub async fn check_reach(&self, people: &[String], by: &str) -> Result<CaseRecord, StoreError> {
        let (policy, now) = (self.policy(), Timestamp::now());
        let wanted = |id: &str| people.is_empty() || people.iter().any(|one| one == id);
        let called: Vec<&_> = policy.people.iter().filter(|person| !person.disabled && wanted(&person.id)).collect();
        let occasion = Occasion::Check { people: called.iter().map(|person| person.id.clone()).collect() };
        let mut case = blank("check", &QueueName::default(), occasion, &policy, now);
        case.tracks = vec![Track::Harassment];
        case.note(now, Happening::Opened, MACHINE, "到達確認");
        case.note(now, Happening::Noted, by, "到達確認");
        let deadline = now + CHECK_TIME;
        let fired =
            Fired { moment: 0, rung: 0, is_repeat: false, is_final: false, is_listed: false, calls: vec![], skipped: vec![], deadline };
        for person in called {
            for (channel, address) in &person.reach {
                let to =
                    Recipient { person: person.id.clone(), name: person.name.clone(), channel: channel.clone(), address: address.clone() };
                push(&mut case, Track::Harassment, Step::First, to, &fired, &policy, now);
            }
        }
        refresh(&mut case);
        self.store_new(case).await
    }

    async fn store_new(&self, case: CaseRecord) -> Result<CaseRecord, StoreError> {
        let key = case_key(&case.scope, case.generation);
        self.change_case(&key, |_| Change::Write(case.clone(), ())).await?;
        self.index(&case).await?;
        Ok(case)
    }
}

fn blank(kind: &str, queue: &QueueName, occasion: Occasion, policy: &Policy, now: Timestamp) -> CaseRecord {
    let scope = Digest::of_fields(&[kind.as_bytes(), &now.as_nanosecond().to_be_bytes()]).key();
    CaseRecord { occasion, ..CaseRecord::open(&Tenant::default(), queue, &scope, 1, policy, now) }
}

fn joining(track: Track, level: Level, now: Timestamp) -> Joining {
    let words = "訓練のための文面です。";
    let reason = Reason {
        categories: vec![Category::Threat],
        lanes: vec![],
        level,
        entries: vec![],
        place: Some(Origin::Drill.name().to_owned()),
        excerpt: words.to_owned(),
    };
    let summary = Summary { message_id: "drill".to_owned(), level, reasons: vec![reason], ..Summary::default() };
    let message = CaseMessage {
        identity: Digest::of(b"drill").key(),
        id: MessageId("drill".to_owned()),
        level,
        channel: Channel::Chat,
        received_at: now,
        evidence: Digest::of(words.as_bytes()),
    };
    let categories = if track == Track::Harassment { vec![Category::Threat] } else { vec![] };
    Joining { categories, ..Joining::new(message, [(track, summary)].into()) }
}
