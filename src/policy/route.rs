//! The routing tree: which ladder serves a case.

use crate::model::digest::Digest;
use crate::model::message::Channel;
use crate::model::severity::{Category, Lane, Level};
use crate::policy::Track;

/// What a case keeps of its customer: enough to recognise those whom the policy names, and no address.
pub fn customer_key(customer: &str) -> String {
    Digest::of_fields(&[b"customer", customer.trim().to_lowercase().as_bytes()]).key()
}

/// What routing looks at. A fact that is not known fits no condition on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The road.
    pub track: Track,
    /// Highest level so far.
    pub level: Level,
    /// Whose case.
    pub tenant: Option<String>,
    /// Queue of the first message.
    pub queue: Option<String>,
    /// Channel of the newest message.
    pub channel: Option<Channel>,
    /// [`customer_key`] of the customer.
    pub customer: Option<String>,
    /// All categories so far.
    pub categories: Vec<Category>,
    /// All lanes so far.
    pub lanes: Vec<Lane>,
}

impl Facts {
    /// Nothing known but road and level.
    pub fn of(track: Track, level: Level) -> Self {
        Self { track, level, tenant: None, queue: None, channel: None, customer: None, categories: vec![], lanes: vec![] }
    }

    /// Whether nobody may sleep: care, injury, level 4.
    pub fn is_urgent(&self) -> bool {
        matches!(self.track, Track::Care | Track::Safety) || (self.track == Track::Harassment && self.level == Level::Emergency)
    }
}

/// Conditions of a route: each must hold; an empty list holds always; of a list, one value is enough.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct Conditions {
    pub tracks: Vec<Track>,
    pub levels: Vec<Level>,
    pub tenants: Vec<String>,
    pub queues: Vec<String>,
    pub channels: Vec<Channel>,
    pub customers: Vec<String>,
    pub categories: Vec<Category>,
    pub lanes: Vec<Lane>,
}

impl Conditions {
    /// Whether all hold.
    pub fn hold(&self, facts: &Facts) -> bool {
        fn any<T: PartialEq>(wanted: &[T], known: &[T]) -> bool {
            wanted.is_empty() || wanted.iter().any(|one| known.contains(one))
        }
        any(&self.tracks, &[facts.track])
            && any(&self.levels, &[facts.level])
            && any(&self.tenants, facts.tenant.as_slice())
            && any(&self.queues, facts.queue.as_slice())
            && any(&self.channels, facts.channel.as_slice())
            && any(&self.customers, facts.customer.as_slice())
            && any(&self.categories, &facts.categories)
            && any(&self.lanes, &facts.lanes)
    }

    /// Whether whatever fits `other` fits these, too: a later route with such conditions is never reached.
    pub fn cover(&self, other: &Self) -> bool {
        fn wider<T: PartialEq>(mine: &[T], theirs: &[T]) -> bool {
            mine.is_empty() || (!theirs.is_empty() && theirs.iter().all(|one| mine.contains(one)))
        }
        wider(&self.tracks, &other.tracks)
            && wider(&self.levels, &other.levels)
            && wider(&self.tenants, &other.tenants)
            && wider(&self.queues, &other.queues)
            && wider(&self.channels, &other.channels)
            && wider(&self.customers, &other.customers)
            && wider(&self.categories, &other.categories)
            && wider(&self.lanes, &other.lanes)
    }
}

/// A node of the tree: the first child that fits decides, else the node itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// When it fits.
    pub conditions: Conditions,
    /// Key of the ladder; inherited from the node above where the file names none.
    pub ladder: String,
    /// Finer cases.
    pub routes: Vec<Self>,
}

impl Route {
    /// The ladder of the deepest first fit.
    pub fn ladder_for(&self, facts: &Facts) -> Option<&str> {
        if !self.conditions.hold(facts) {
            return None;
        }
        self.routes.iter().find_map(|route| route.ladder_for(facts)).or(Some(&self.ladder))
    }
}
