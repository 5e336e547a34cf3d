//! Rebuilding a room from D1's archive, under a new epoch.
//!
//! The archive keeps positions, order_keys and transaction ids, so that tokens of the old epoch
//! still page and repeated sends find their event. Followers tell what they hold; the room goes on
//! above the highest of it.

use hubbub_storage::{
    database::{Transaction, transaction},
    directory::{
        archive::{self, ArchivedEvent, DirectoryRoom},
        deactivations,
    },
    room::{
        self, MAX_INITIAL, RoomRow,
        events::{self, EventRow},
        followers::{self, ARCHIVE, FollowerRow, SEARCH, SpanRow, USER},
        receipts::{self, ReceiptRow},
        staged, state,
    },
    schema,
};
use ruma::{
    RoomVersionId, UserId,
    canonical_json::{CanonicalJsonObject, CanonicalJsonValue},
};

use super::{
    Opened, RoomObject,
    append::{New, new_follower},
    event::rules_of,
    index::SEARCH_ID,
    initial::ARCHIVE_ID,
};
use crate::{
    context::AppserviceList,
    contract::{
        Address, Class,
        appservice::AppserviceCommand,
        call,
        delivery::{Cursor, DeliveryAnswer, RoomDelivery, RoomFacts},
        room::Rebuilt,
        user::UserCommand,
    },
    error::{MatrixError, Result},
};

/// How many archived events are in memory at a time.
const PAGE: u32 = 500;
/// How often the archive is read anew when somebody sends while it is read.
const ATTEMPTS: u32 = 10;
/// The lock of whoever rebuilds.
const REBUILDING: &str = "rebuild";
/// The position of a probe: no follower holds it, so each refuses and says what it holds.
const PROBE: Cursor = Cursor { epoch: -1, position: -1 };

/// What the archive knows of the room, but for its events: those are staged.
struct Archived {
    room: DirectoryRoom,
    events: u64,
    receipts: Vec<ReceiptRow>,
    /// Users who had what they said erased.
    erased: Vec<String>,
}

impl RoomObject {
    /// Wipes the object and builds it again. 404 when the archive has no such room; refuses while
    /// the archive is behind, since what it lacks would be lost; 503 when a follower does not tell what it holds:
    /// the room is there then, and goes on by itself once that is known.
    pub(super) async fn rebuild(&self) -> Result<Rebuilt> {
        let _held = self.in_flight.lock(REBUILDING).await;
        let appservices = self.appservices().await?;
        let (archived, epoch) = self.whole_archive().await?;
        schema::migrate(self.database.as_ref(), room::SCHEMA)?;
        transaction(self.database.as_ref(), |transaction| self.replay(transaction, &appservices, &archived, epoch))?;
        self.cursors.forget();
        self.context.failpoints.pass("room.after_rebuild").await;
        match self.ask_followers(&appservices).await {
            Ok(position) => Ok(Rebuilt { epoch, events: archived.events, position }),
            Err(error) => {
                tracing::warn!(room.id = %self.room_id, "A rebuilt room waits for its followers: {error}");
                Err(is_rebuilding())
            }
        }
    }

    /// Ends a rebuilding that was cut short or could not reach a follower.
    pub(super) async fn go_on_rebuilding(&self) -> Result<()> {
        if !self.opened_now().is_ok_and(|opened| opened.row.rebuilding) {
            return Ok(());
        }
        // Who holds the lock asks the followers just now.
        let _held = self.in_flight.try_lock(REBUILDING).ok_or_else(is_rebuilding)?;
        let appservices = self.appservices().await?;
        self.ask_followers(&appservices).await.map(|_| ())
    }

    /// The archive when it has all that the object holds, and the new epoch. D1 knows that before
    /// any follower does, so no later rebuild takes it again.
    async fn whole_archive(&self) -> Result<(Archived, i64)> {
        for _ in 0..ATTEMPTS {
            if self.position().is_some() {
                let _held = self.in_flight.lock(&format!("{ARCHIVE}:{ARCHIVE_ID}")).await;
                self.archive_all().await?;
            }
            let position = self.position();
            let archived = self.read_archive().await?;
            let epoch = archived.room.epoch + 1;
            let room = DirectoryRoom { epoch, ..archived.room.clone() };
            self.context.directory.batch(vec![archive::put_room(&room)]).await?;
            // What was sent meanwhile is not in what was read.
            if self.position() == position {
                return Ok((archived, epoch));
            }
        }
        Err(MatrixError::new(503, "M_UNKNOWN", "Too much is said in this room right now; try again."))
    }

    fn position(&self) -> Option<i64> {
        self.opened(self.database.as_query()).ok().map(|opened| opened.row.position)
    }

    async fn read_archive(&self) -> Result<Archived> {
        let directory = self.context.directory.as_ref();
        let room_id = self.room_id.as_str();
        let room = archive::get_room(directory, room_id)
            .await?
            .ok_or_else(|| MatrixError::not_found("The archive has no such room."))?;
        let events = self.stage_events().await?;
        let receipts = archive::list_receipts(directory, room_id).await?;
        let erased = deactivations::erased_in(directory, room_id).await?;
        Ok(Archived { room, events, receipts, erased })
    }

    /// Copies the archived events here and returns how many there are.
    async fn stage_events(&self) -> Result<u64> {
        let directory = self.context.directory.as_ref();
        transaction(self.database.as_ref(), |transaction| staged::open(transaction))?;
        let mut after = 0;
        let mut count = 0_u64;
        loop {
            let page = archive::list_events(directory, self.room_id.as_str(), after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(count);
            };
            after = last.order_key;
            count = count.saturating_add(u64::try_from(page.len()).unwrap_or(0));
            transaction(self.database.as_ref(), |transaction| {
                page.iter().try_for_each(|event| staged::put(transaction, event))
            })?;
            self.context.failpoints.pass("room.after_stage").await;
        }
    }

    fn replay(
        &self,
        transaction: &dyn Transaction,
        appservices: &AppserviceList,
        archived: &Archived,
        epoch: i64,
    ) -> Result<()> {
        room::wipe(transaction)?;
        state::open_first_branch(transaction)?;
        let version = RoomVersionId::try_from(archived.room.version.as_str()).map_err(MatrixError::internal)?;
        let mut opened = Opened { row: empty_row(&archived.room, epoch), rules: rules_of(&version)? };
        let mut after = 0;
        loop {
            let page = staged::list(transaction.as_query(), after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.order_key;
            for event in &page {
                self.replay_event(transaction, &mut opened, appservices, event)?;
                if event.order_key < MAX_INITIAL {
                    opened.row.initial = event.order_key;
                }
            }
        }
        staged::close(transaction)?;
        self.restore_erasures(transaction, &opened, &archived.erased)?;
        let row = &mut opened.row;
        for receipt in &archived.receipts {
            let event = events::get(transaction.as_query(), &receipt.event_id)?;
            let event_position = event.and_then(|event| event.position()).unwrap_or_default();
            row.position = row.position.max(receipt.position);
            receipts::put(transaction, &ReceiptRow { event_position, ..receipt.clone() })?;
        }
        let archive = FollowerRow { epoch, position: row.position, ..new_follower(ARCHIVE, ARCHIVE_ID) };
        followers::put(transaction, &archive)?;
        let all = SpanRow { first: 1, last: None, snapshot: false };
        followers::open_span(transaction, ARCHIVE, ARCHIVE_ID, all)?;
        // How far the index is, it says itself.
        followers::put(transaction, &new_follower(SEARCH, SEARCH_ID))?;
        followers::open_span(transaction, SEARCH, SEARCH_ID, all)?;
        self.save_row(transaction, row)
    }

    fn replay_event(
        &self,
        transaction: &dyn Transaction,
        opened: &mut Opened,
        appservices: &AppserviceList,
        event: &ArchivedEvent,
    ) -> Result<()> {
        let pdu: CanonicalJsonObject = serde_json::from_str(&event.pdu)?;
        let text = |key: &str| pdu.get(key).and_then(CanonicalJsonValue::as_str);
        let content = pdu.get("content").and_then(CanonicalJsonValue::as_object);
        let sender = UserId::parse(text("sender").unwrap_or_default()).map_err(MatrixError::internal)?;
        let new = New {
            sender: &sender,
            event_type: text("type").unwrap_or_default(),
            state_key: text("state_key"),
            content: content.cloned().unwrap_or_default(),
            redacts: None,
            timestamp: None,
            transaction_key: None,
        };
        let row = EventRow {
            order_key: event.order_key,
            event_id: event.event_id.clone(),
            event_type: new.event_type.to_owned(),
            state_key: new.state_key.map(ToOwned::to_owned),
            sender: sender.to_string(),
            pdu: event.pdu.clone(),
            branch: opened.row.branch,
            state_before: opened.row.state_seq,
            replaces: None,
            rejected: event.rejected,
            redacted_by: event.redacted_by.clone(),
            visibility: event.visibility.clone(),
            transaction_key: event.transaction_key.clone(),
        };
        let Some(position) = event.position else {
            events::insert(transaction, &row)?;
            return self.relate(transaction, &row, &new.content);
        };
        opened.row.position = position;
        self.place(transaction, &mut opened.row, row, &new)?;
        if event.order_key == 1 {
            return Ok(());
        }
        self.follow(transaction, opened, appservices, &new, position)
    }

    /// Asks every follower what it holds and goes on above the highest of it. Whatever was committed of this is
    /// right when it is done again.
    async fn ask_followers(&self, appservices: &AppserviceList) -> Result<i64> {
        self.follow_members_with_inbox(appservices).await?;
        let query = self.database.as_query();
        let opened = self.opened(query)?;
        let mut position = opened.row.position;
        for follower in followers::list(query)? {
            if [ARCHIVE, SEARCH].contains(&follower.kind.as_str()) {
                continue;
            }
            let held = self.ask(&follower, opened.row.epoch).await?;
            position = position.max(held.position);
            transaction(self.database.as_ref(), |transaction| {
                let (kind, id) = (&follower.kind, &follower.id);
                followers::advance(transaction, kind, id, held.epoch, held.position)
            })?;
            self.context.failpoints.pass("room.after_probe").await;
        }
        transaction(self.database.as_ref(), |transaction| {
            let mut opened = self.opened(transaction.as_query())?;
            opened.row.position = opened.row.position.max(position) + 1;
            opened.row.rebuilding = false;
            self.save(transaction, &mut opened.row)?;
            Ok(opened.row.position)
        })
    }

    async fn ask(&self, follower: &FollowerRow, epoch: i64) -> Result<Cursor> {
        let probe = Box::new(RoomDelivery {
            room_id: self.room_id.clone(),
            epoch,
            previous: PROBE,
            through: 0,
            snapshot: None,
            events: Vec::new(),
            receipts: Vec::new(),
            typing: None,
            room: RoomFacts::default(),
        });
        let objects = self.context.objects.as_ref();
        let answer: DeliveryAnswer = if follower.kind == USER {
            let address = Address::new(Class::User, &follower.id);
            call(objects, address, &UserCommand::Deliver(probe)).await?
        } else {
            let address = Address::new(Class::Appservice, &follower.id);
            call(objects, address, &AppserviceCommand::Deliver(probe)).await?
        };
        match answer {
            DeliveryAnswer::Refused(held) => Ok(held),
            DeliveryAnswer::Accepted => Err(MatrixError::internal("a follower took a probe")),
        }
    }
}

fn empty_row(room: &DirectoryRoom, epoch: i64) -> RoomRow {
    RoomRow {
        room_id: room.room_id.clone(),
        version: room.version.clone(),
        creator: room.creator.clone(),
        epoch,
        position: 0,
        initial: 0,
        branch: 0,
        state_seq: 0,
        depth: 0,
        extremities: Vec::new(),
        joined: 0,
        invited: 0,
        typing_position: 0,
        alarm_at: 0,
        listed: room.listed,
        rebuilding: true,
    }
}

/// Refuses what would give out a position of a room whose followers may hold it already.
pub(super) fn refuse_while_rebuilding(row: &RoomRow) -> Result<()> {
    if row.rebuilding { Err(is_rebuilding()) } else { Ok(()) }
}

fn is_rebuilding() -> MatrixError {
    let why = "The room is being rebuilt and goes on once all who follow it have answered; try again.";
    MatrixError::new(503, "COM_HUBBUB_REBUILDING", why)
}
