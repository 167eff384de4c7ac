//! The desk for verbs that act on cases: the configured store, the policy without those who left.

use crate::app;
use crate::cli::{Common, Failure, load};
use crate::worker::desk::Desk;
use std::sync::Arc;

/// Opens it. Works while a worker runs on the same store.
pub(crate) async fn open(common: &Common) -> Result<Desk, Failure> {
    let prepared = load::prepared(common)?;
    let backend = app::open_backend(&prepared.settings).await.map_err(Failure::later)?;
    let desk = Desk::new(backend.store, Arc::clone(&prepared.policy));
    desk.apply_leavers(&prepared.policy).await?;
    Ok(desk)
}
