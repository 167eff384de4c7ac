//! mimamori (見守り): finds abusive and threatening customer messages in Japanese e-mail and chat, explains why, and
//! brings them to a named supervisor. This page is the architecture.
//!
//! ```text
//! Delivery ─decode→ Message ─judge→ Verdict ─→ Conversation ─policy→ Case {alert intent, next_due} ─→ settle
//!  (bytes)          (text)          (why)       (memory)                 └ due times ─→ notify → outcome → Case
//! ```
//!
//! A pure middle and a thin shell. Decoding, judging, policy and case transitions take values and give values: no I/O,
//! no clock, no randomness, no async. The shell (store, HTTP, folder, mail, signals) carries values between them. The
//! floor plan below is enforced by a test: a module may only mention what stands on a lower floor.
//!
//! | floor | modules | may not |
//! |---|---|---|
//! | words | [`model`], [`diag`], [`sheet`], [`store`] (traits) | know what the words are used for |
//! | pure | [`decode`], [`engine`], [`conversation`], [`policy`], [`case`], [`eval`], [`wording`] | touch disk, network, clock, environment |
//! | settings | [`config`] | start anything |
//! | edges | [`edge`]: embedded store, NATS JetStream, evidence, HTTP, folder, notifiers, metrics | mention each other |
//! | roof | [`worker`], [`app`], [`cli`] | be mentioned from below |
//!
//! # The path of one message
//!
//! 1. *Intake* (HTTP, folder, `submit`) checks that the message can be judged and hands an [`model::envelope::Envelope`]
//!    to the [`store::Queue`]. Accepted means committed: the identity is durable, and the same message again is a duplicate.
//!    On JetStream [`edge::shelter`] stands before it: while the server is away, messages wait on the local disk.
//! 2. The *worker* leases it. [`decode::decode`] makes a [`model::message::Message`]; the conversation's memory tells which
//!    `>` lines are quotes of earlier messages; [`engine::Engine::judge`] gives the [`model::verdict::Verdict`]. This is the
//!    only way to a verdict, for worker, command line and tests alike; the same input gives the same bytes.
//! 3. If the verdict is alert-due, the original goes into the hash-chained evidence first. Then the conversation's memory,
//!    the case with its alert intents (compare-and-set), verdict and decision records (dedupe id), and last the settlement.
//!    A crash between any two steps only repeats, and each step may be repeated: see [`worker::process`].
//! 4. *Announce* is driven only by due times in case records: intent stored as "sending" → sent → outcome stored. A crash in
//!    between sends again with the same Message-ID. A dead mail server never stalls step 2.
//!
//! # The life of a case
//!
//! Every change of a case, by whomever, goes through [`worker::desk`]: one compare-and-set of its record, then its events into
//! the append-only history, keyed by case and number. Announcers follow that history, so what a supervisor does at a terminal,
//! on a page ([`edge::http::ack`]) or by a mail reply ([`decode::reply`]) is seen by every worker within a second. A ladder is
//! climbed by [`policy::climb`] alone, in the worker, in `policy simulate` and in the tests on a virtual clock. What is not
//! urgent passes a gate per person and channel on its way out; beyond its limit alerts wait in their cases and leave as one list
//! ([`worker::bundles`]). Every sentence of an alert is a text of [`wording`], which the company may replace. What need not
//! page comes as a list at fixed times ([`worker::digests`]).
//!
//! Other systems are told by [`worker::events`]: it reads the history and the verdicts behind a cursor, one sender per target, and
//! stores nothing twice. What may leave is decided in one pure place, [`case::outward`]. Operators ask for help at
//! [`edge::http::door`], behind a signed link of their own ([`case::pass`]).
//!
//! # Watching itself
//!
//! Nobody's word is taken that all is well. [`worker::audit`] walks what was settled and looks for what each message owes;
//! [`worker::canary`] sends a message the whole way; [`worker::alarm`] tells people once over every channel, and once when it is over;
//! [`app::watchdog`] does the same from outside, without store or broker. What is stored anyway is also told to other systems, in
//! order and until they have it ([`worker::events`]).
//!
//! # Invariants
//!
//! - Nothing accepted is lost: every accepted message ends as a verdict or as a dead letter, and every alert-due message is
//!   in exactly one case ([`worker::enroll`]). The tests kill the worker at random points and count.
//! - The machine raises, people lower: only a named person acknowledges or closes.
//! - Truth is in the store, never in memory; several processes may use it at once.
//! - Every limit is a named constant with its unit and reason.
//! - Logs and metrics carry ids and closed sets, never text or addresses.
//!
//! # Where this differs from the obvious
//!
//! - *One case, several tracks.* A suicidal customer who is also abusive gives one case with a care track and a harassment
//!   track, each with its own people, wording and deadline, instead of two linked cases: one record means one
//!   compare-and-set, and care always leads because tracks are ordered.
//! - *Tokens without a name.* A link of an alert names its case only; its signature covers the person, and whoever checks tries
//!   everybody who is still there. So it fits into a mail address, and dies with its person.
//! - *Verdicts by subject.* On JetStream each entry has a subject of its own that ends in its key, and the server refuses a second
//!   one: idempotency lasts as long as the stream, not as long as a window of known ids.
//! - *No parser library for MIME structure.* The part walk is our own, bounded in depth and count, because the library's
//!   recursion ends the process on hostile nesting and it drops the raw bytes that charset detection needs; the library
//!   still reads addresses.
//! - *Evasions are patterns, not passes.* Masks, homophones, digits and taken-apart kanji become extra patterns when the
//!   lexicon is compiled, so that judging stays one scan of one folded text.

pub mod app;
pub mod case;
pub mod cli;
pub mod config;
pub mod conversation;
pub mod decode;
pub mod diag;
pub mod edge;
pub mod engine;
pub mod eval;
pub mod model;
pub mod policy;
pub mod sheet;
pub mod store;
pub mod wording;
pub mod worker;
