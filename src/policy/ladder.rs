//! Ladders: who is told after how long without an acknowledgement. A ladder never ends: its last rung repeats.
//!
//! A ladder is unrolled into *moments* (a rung, or a repeat of a rung, at so many minutes after the start), so that a
//! climb is one number: the next moment.

use std::time::Duration;

/// One ladder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    /// Key in the policy file.
    pub id: String,
    /// Rungs in time order. Never empty.
    pub rungs: Vec<Rung>,
    /// What happens when all rungs have passed: repeated until somebody takes the case.
    pub finally: Finally,
    /// Teams or people of whom each must acknowledge; empty: anybody may, for all.
    pub acknowledge_by: Vec<String>,
    /// Key of the working hours in which its time counts; none: always.
    pub hours: Option<String>,
    /// A case that was taken and not touched for so long comes back.
    pub return_after: Duration,
    /// What the company's manual says to do now, at most three lines.
    pub advice: Vec<String>,
    /// Whether replies to the customer are held until somebody has the case; `None`: from level 3 on.
    pub hold: Option<bool>,
    moments: Vec<(Duration, usize, bool)>,
}

/// One rung.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rung {
    /// Keys of people and teams. Never empty.
    pub to: Vec<String>,
    /// Keys of channels, all used at once. Never empty.
    pub by: Vec<String>,
    /// Time since the start of the ladder.
    pub after: Duration,
    /// Told again in this rhythm, this often.
    pub repeat: Option<(Duration, u32)>,
    /// Told by a digest at its next time, not by an alert. The wait for the next rung runs all the same.
    pub is_listed: bool,
}

/// The end of a ladder that has no end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finally {
    /// Keys of people and teams. Never empty.
    pub to: Vec<String>,
    /// Keys of channels. Never empty.
    pub by: Vec<String>,
    /// Time since the start of the ladder.
    pub after: Duration,
    /// The rhythm from then on.
    pub every: Duration,
}

/// One point of a ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment<'a> {
    /// Time since the start of the ladder.
    pub after: Duration,
    /// Keys of people and teams.
    pub to: &'a [String],
    /// Keys of channels.
    pub by: &'a [String],
    /// Index of the rung; the number of rungs stands for the end.
    pub rung: usize,
    /// The same people were told before.
    pub is_repeat: bool,
    /// The rungs are over.
    pub is_final: bool,
    /// A digest tells it.
    pub is_listed: bool,
}

impl Ladder {
    /// A ladder; rungs must be in time order and the end after the last of them.
    pub fn new(
        id: String,
        rungs: Vec<Rung>,
        finally: Finally,
        acknowledge_by: Vec<String>,
        hours: Option<String>,
        return_after: Duration,
        advice: Vec<String>,
    ) -> Self {
        let mut moments = vec![];
        for (index, rung) in rungs.iter().enumerate() {
            moments.push((rung.after, index, false));
            if let Some((pause, times)) = rung.repeat {
                moments.extend((1..=times).map(|n| (rung.after + pause * n, index, true)));
            }
        }
        // Where a repeat and a new rung meet, the new rung speaks first; what the end says, nobody needs to hear before it twice.
        moments.retain(|(after, _, is_repeat)| !is_repeat || *after < finally.after);
        moments.sort_by_key(|(after, index, is_repeat)| (*after, *is_repeat, *index));
        Self { id, rungs, finally, acknowledge_by, hours, return_after, advice, hold: None, moments }
    }

    /// The n-th point, counted from 0. There is one for every number.
    pub fn moment(&self, number: u32) -> Moment<'_> {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        if let Some((after, rung, is_repeat)) = self.moments.get(index) {
            let Rung { to, by, is_listed, .. } = &self.rungs[*rung];
            return Moment { after: *after, to, by, rung: *rung, is_repeat: *is_repeat, is_final: false, is_listed: *is_listed };
        }
        let nth = number.saturating_sub(u32::try_from(self.moments.len()).unwrap_or(u32::MAX));
        let Finally { to, by, after, every } = &self.finally;
        let after = *after + every.saturating_mul(nth);
        Moment { after, to, by, rung: self.rungs.len(), is_repeat: nth > 0, is_final: true, is_listed: false }
    }

    /// From one point to the next.
    pub fn gap(&self, number: u32) -> Duration {
        self.moment(number.saturating_add(1)).after.saturating_sub(self.moment(number).after)
    }

    /// Keys of all people, teams and channels it names.
    pub fn names(&self) -> impl Iterator<Item = (&[String], &[String])> {
        let end = std::iter::once((self.finally.to.as_slice(), self.finally.by.as_slice()));
        self.rungs.iter().map(|rung| (rung.to.as_slice(), rung.by.as_slice())).chain(end)
    }
}
