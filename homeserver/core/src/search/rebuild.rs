//! Filling the index anew.

use futures_util::{StreamExt as _, stream};
use hubbub_storage::{directory::sweeps, search};
use serde::Serialize;

use super::{ROOMS_AT_ONCE, ask};
use crate::{context::Context, contract::search::RoomSearchCommand, error::Result};

/// How many rooms are told at a time, within what the Free plan lets one invocation call.
const ROOMS: u32 = 100;

/// What was done.
#[derive(Debug, Serialize)]
pub struct Rebuilding {
    /// How many rooms were told.
    pub rooms: usize,
    /// Which of them did not answer; they index themselves when they are searched.
    pub silent: Vec<String>,
    /// Where to go on; `None`: all rooms were told.
    pub next: Option<String>,
}

/// Empties the index and tells the first rooms to fill it; with `after`, the next ones. They do so
/// in the background, and a search waits for those that it needs.
pub async fn rebuild(context: &Context, after: Option<&str>) -> Result<Rebuilding> {
    if after.is_none() {
        search::empty(context.search.as_ref()).await?;
    }
    let from = [("Room", after.unwrap_or_default().to_owned())];
    let rooms = sweeps::list_after(context.directory.as_ref(), &from, ROOMS).await?.pop().unwrap_or_default();
    let told = rooms.iter().map(|room_id| ask::<()>(context, room_id, RoomSearchCommand::IndexAnew));
    let answers: Vec<(String, Option<()>)> = stream::iter(told).buffer_unordered(ROOMS_AT_ONCE).collect().await;
    let is_full = rooms.len() >= usize::try_from(ROOMS).unwrap_or(usize::MAX);
    Ok(Rebuilding {
        rooms: rooms.len(),
        silent: answers.into_iter().filter(|(_, told)| told.is_none()).map(|(room_id, _)| room_id).collect(),
        next: rooms.into_iter().next_back().filter(|_| is_full),
    })
}
