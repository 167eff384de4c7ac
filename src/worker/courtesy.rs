//! Courtesy: a sender of whom many messages are in work lets those of the others go first.
//!
//! Taking turns at the queue is not enough: what a flood writes keeps disk, broker and processors busy while the others' messages
//! are in work. So each message of a crowd stops before each of its steps while any other is in work, for a moment at most: the
//! flood goes on in the gaps, and always goes on. What is urgent stops for nobody.

use crate::model::envelope::Share;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Messages of one sender in work from which on they are a crowd: somebody who sends three lines of chat is none.
const CROWD_MIN: usize = 4;

/// Longest stop before one step: about as long as an ordinary message is in work, so that it is seldom in vain, and that a flood of
/// thousands is worked off within minutes however busy the others are.
const STOP_MAX: Duration = Duration::from_millis(20);

/// Who is in work.
#[derive(Debug, Default)]
pub(crate) struct Courtesy {
    state: Mutex<State>,
    /// Told when no message of another is in work any more.
    quiet: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Messages in work.
    all: usize,
    /// Those of crowds.
    crowded: usize,
    by_sender: HashMap<Share, usize>,
}

/// A message in work, until it is dropped.
pub(crate) struct InWork<'a>(&'a Courtesy, Option<Share>);

impl Courtesy {
    /// A message of that sender comes to work.
    pub(crate) fn enter(&self, sender: Option<Share>) -> InWork<'_> {
        self.with(|state| state.enter(sender));
        InWork(self, sender)
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Stops while somebody else's message is in work, if that sender's are a crowd.
    pub(crate) async fn let_others_go_first(&self, sender: Option<Share>) {
        let Some(sender) = sender else { return };
        let patience = async {
            loop {
                let quiet = self.quiet.notified();
                let mut quiet = std::pin::pin!(quiet);
                // Listen before looking, so that no silence in between is missed.
                quiet.as_mut().enable();
                if !self.with(|state| state.must_wait(sender)) {
                    return;
                }
                quiet.await;
            }
        };
        _ = tokio::time::timeout(STOP_MAX, patience).await;
    }
}

impl State {
    fn enter(&mut self, sender: Option<Share>) {
        self.all += 1;
        let Some(sender) = sender else { return };
        let count = self.by_sender.entry(sender).or_default();
        *count += 1;
        self.crowded += crowd(*count) - crowd(*count - 1);
    }

    /// True if nobody but crowds is left.
    fn leave(&mut self, sender: Option<Share>) -> bool {
        self.all -= 1;
        if let Some(sender) = sender
            && let Some(count) = self.by_sender.get_mut(&sender)
        {
            *count -= 1;
            self.crowded -= crowd(*count + 1) - crowd(*count);
            if *count == 0 {
                self.by_sender.remove(&sender);
            }
        }
        self.all == self.crowded
    }

    fn must_wait(&self, sender: Share) -> bool {
        self.by_sender.get(&sender).is_some_and(|count| *count >= CROWD_MIN) && self.all > self.crowded
    }
}

/// How many of so many messages of one sender belong to a crowd.
const fn crowd(count: usize) -> usize {
    if count >= CROWD_MIN { count } else { 0 }
}

impl Drop for InWork<'_> {
    fn drop(&mut self) {
        if self.0.with(|state| state.leave(self.1)) {
            self.0.quiet.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOD: Option<Share> = Some(Share(1));
    const OTHER: Option<Share> = Some(Share(2));

    #[tokio::test(start_paused = true)]
    async fn a_crowd_stops_for_others_and_for_a_moment_only() {
        let courtesy = Courtesy::default();
        let began = tokio::time::Instant::now();
        let passed = || began.elapsed();
        let few: Vec<_> = (1..CROWD_MIN).map(|_| courtesy.enter(FLOOD)).collect();
        let other = courtesy.enter(OTHER);
        courtesy.let_others_go_first(FLOOD).await;
        assert_eq!(passed(), Duration::ZERO, "a few messages are no crowd");
        let many = courtesy.enter(FLOOD);
        courtesy.let_others_go_first(OTHER).await;
        courtesy.let_others_go_first(None).await;
        assert_eq!(passed(), Duration::ZERO, "the others wait for nobody");
        courtesy.let_others_go_first(FLOOD).await;
        assert_eq!(passed(), STOP_MAX, "a crowd waits, and not for ever");
        let stop = STOP_MAX / 4;
        tokio::join!(courtesy.let_others_go_first(FLOOD), async {
            tokio::time::sleep(stop).await;
            drop(other);
        });
        assert_eq!(passed(), STOP_MAX + stop, "nor longer than it must");
        courtesy.let_others_go_first(FLOOD).await;
        assert_eq!(passed(), STOP_MAX + stop, "alone it goes on");
        let stranger = courtesy.enter(None);
        drop(many);
        courtesy.let_others_go_first(FLOOD).await;
        assert_eq!(passed(), STOP_MAX + stop, "a crowd that has gone is none");
        drop((few, stranger));
        assert_eq!(courtesy.with(|state| (state.all, state.crowded, state.by_sender.len())), (0, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn two_crowds_do_not_wait_for_each_other() {
        let courtesy = Courtesy::default();
        let began = tokio::time::Instant::now();
        let _both: Vec<_> = (0..2 * CROWD_MIN).map(|n| courtesy.enter(if n % 2 == 0 { FLOOD } else { OTHER })).collect();
        courtesy.let_others_go_first(FLOOD).await;
        courtesy.let_others_go_first(OTHER).await;
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
