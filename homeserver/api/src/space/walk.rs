//! The walk through a space, depth first
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#viewing-the-roomspace-hierarchy)).
//!
//! Each room is asked once, a few siblings at a time, and says itself whether the user may see it.

use std::collections::{HashMap, VecDeque};

use futures_util::future::join_all;
use hubbub_core::{
    contract::{
        place::{Described, PlaceCommand, Summary},
        room::RoomCommand,
    },
    error::{MatrixError, Result},
};
use ruma::{OwnedRoomId, RoomId};
use serde::Serialize;
use serde_json::value::RawValue;

use super::token::{Place, Scope};
use crate::{call::Call, credentials::Authenticated, objects};

/// How many rooms one request asks, whether they are shown or not.
const MAX_ASKED: usize = 100;
/// How many siblings are asked at once.
const ROOMS_AT_ONCE: usize = 6;
/// How many spaces may lie in each other.
const MAX_DEPTH: usize = 20;

/// The body of the answer.
#[derive(Serialize)]
pub(super) struct Page {
    rooms: Vec<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_batch: Option<String>,
}

/// A room of the hierarchy.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    summary: Summary,
    children_state: Vec<Box<RawValue>>,
}

/// A room whose children are being visited.
struct Open {
    room_id: OwnedRoomId,
    children: VecDeque<OwnedRoomId>,
}

/// One request's walk.
pub(super) struct Walk<'a> {
    call: &'a Call<Authenticated>,
    scope: &'a Scope<'a>,
    limit: usize,
    place: Place,
    path: Vec<Open>,
    rooms: Vec<Shown>,
    /// Rooms that said in this request that the user is joined to them: others that are restricted
    /// to their members need not ask them again.
    joined: Vec<OwnedRoomId>,
    asked: usize,
    /// What was asked ahead.
    answers: HashMap<OwnedRoomId, Result<Described>>,
}

impl<'a> Walk<'a> {
    /// A walk that shows at most `limit` rooms.
    pub fn new(call: &'a Call<Authenticated>, scope: &'a Scope<'a>, limit: usize) -> Self {
        Self {
            call,
            scope,
            limit,
            place: Place::default(),
            path: Vec::new(),
            rooms: Vec::new(),
            joined: Vec::new(),
            asked: 0,
            answers: HashMap::new(),
        }
    }

    /// The page from a place on; `None`: from the root. 403 `M_FORBIDDEN` when the user may not
    /// see the root, as for one that does not exist.
    pub async fn page(mut self, from: Option<Place>) -> Result<Page> {
        match from {
            Some(place) => self.resume(place).await?,
            None => {
                self.place.visited.insert(self.scope.root);
                let described = self.ask(self.scope.root).await.map_err(refused_root)?;
                self.show(self.scope.root.to_owned(), described);
            }
        }
        while self.rooms.len() < self.limit && self.asked < MAX_ASKED {
            let Some(child) = self.next_child() else { break };
            self.ask_ahead(&child).await;
            self.place.visited.insert(&child);
            match self.answers.remove(&child) {
                Some(Ok(described)) => self.show(child, described),
                Some(Err(error)) if error.status >= 500 => return Err(error),
                Some(Err(_)) | None => {}
            }
        }
        let more = self.next_child().is_some() && !self.place.visited.is_full();
        self.place.path = self.path.into_iter().map(|open| open.room_id).collect();
        let next_batch = more.then(|| self.scope.token(&self.call.context.config.secrets, &self.place));
        Ok(Page { rooms: self.rooms, next_batch })
    }

    /// Opens the rooms on the way to a place again. What has become invisible ends the way.
    async fn resume(&mut self, place: Place) -> Result<()> {
        self.place.visited = place.visited;
        for (depth, room_id) in place.path.into_iter().enumerate() {
            match self.ask(&room_id).await {
                Ok(described) => self.open(room_id, &described),
                Err(error) if depth == 0 => return Err(refused_root(error)),
                Err(error) if error.status >= 500 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// The next room to visit; leaves rooms whose children are done.
    fn next_child(&mut self) -> Option<OwnedRoomId> {
        while let Some(open) = self.path.last_mut() {
            while let Some(child) = open.children.front() {
                if !self.place.visited.contains(child) {
                    return Some(child.clone());
                }
                open.children.pop_front();
            }
            self.path.pop();
        }
        None
    }

    async fn ask(&mut self, room_id: &RoomId) -> Result<Described> {
        self.asked += 1;
        let described = self.describe(room_id).await?;
        if described.membership == "join" {
            self.joined.push(room_id.to_owned());
        }
        Ok(described)
    }

    /// Asks a child, and the siblings that come after it, unless that was done.
    async fn ask_ahead(&mut self, child: &RoomId) {
        if self.answers.contains_key(child) {
            return;
        }
        let left = ROOMS_AT_ONCE.min(self.limit - self.rooms.len());
        let siblings = self.path.last().into_iter().flat_map(|open| &open.children);
        let wanted: Vec<OwnedRoomId> =
            siblings.filter(|sibling| !self.place.visited.contains(sibling)).take(left).cloned().collect();
        self.asked += wanted.len();
        let answers = join_all(wanted.iter().map(|room_id| self.describe(room_id))).await;
        for (room_id, answer) in wanted.into_iter().zip(answers) {
            if answer.as_ref().is_ok_and(|described| described.membership == "join") {
                self.joined.push(room_id.clone());
            }
            self.answers.insert(room_id, answer);
        }
    }

    async fn describe(&self, room_id: &RoomId) -> Result<Described> {
        let command = PlaceCommand::Describe {
            reader: Some(self.call.auth.user_id().clone()),
            joined: self.joined.clone(),
            children: true,
        };
        objects::room(self.call, room_id, &RoomCommand::Place(command)).await
    }

    fn show(&mut self, room_id: OwnedRoomId, described: Described) {
        self.open(room_id, &described);
        let wanted = |suggested: bool| suggested || !self.scope.suggested_only;
        let children = described.children.into_iter().filter(|child| wanted(child.suggested));
        let children_state = children.map(|child| child.event).collect();
        self.rooms.push(Shown { summary: described.summary, children_state });
    }

    fn open(&mut self, room_id: OwnedRoomId, described: &Described) {
        let max_depth = self.scope.max_depth.and_then(|depth| usize::try_from(depth).ok());
        if self.path.len() >= max_depth.unwrap_or(MAX_DEPTH).min(MAX_DEPTH) {
            return;
        }
        let followed = described.children.iter().filter(|child| child.suggested || !self.scope.suggested_only);
        let children = followed.map(|child| child.room_id.clone()).collect();
        self.path.push(Open { room_id, children });
    }
}

fn refused_root(error: MatrixError) -> MatrixError {
    match error.status {
        404 => MatrixError::forbidden("There is no such room, or you may not look at it."),
        _ => error,
    }
}
