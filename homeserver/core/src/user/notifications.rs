//! `/notifications`: the events that notified, as far as the inbox keeps them.
//!
//! They are found without an index of their own, which every message would pay for: rooms are looked
//! at from the last changed on, until no older room can have anything newer than what was found.

use hubbub_storage::{
    database::Query,
    user::{
        inbox::{self, RoomRow},
        timeline::{self, KeptEvent, Notify, Notifying},
    },
};
use ruma::OwnedRoomId;

use super::{
    UserSyncObject,
    account_data::ignored_users,
    stored_event::{Extras, put_together},
    unread::UnreadEvents,
};
use crate::{
    contract::notifications::{GetNotifications, NotificationPage, PastNotification},
    error::{MatrixError, Result},
    room_token::canonical_integer,
};

/// The most notifications of a page.
const MAX_LIMIT: u32 = 500;

/// A place between notifications: inbox position, then order_key.
type Place = (i64, i64);

/// An event that notified, with its room.
struct Found {
    room: usize,
    event: KeptEvent,
}

impl Found {
    fn place(&self) -> Place {
        (self.event.inbox_pos, self.event.order_key)
    }
}

impl UserSyncObject {
    /// A page of past notifications, the newest first; 400 `M_INVALID_PARAM` for a malformed token
    /// ([spec](https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3notifications)).
    pub(super) fn notifications(&self, request: &GetNotifications) -> Result<NotificationPage> {
        let device = self.check(&request.caller)?.device;
        let query = self.query();
        let epoch = inbox::get(query)?.epoch;
        let below = match &request.from {
            Some(token) => place_of(token, epoch)?,
            None => (timeline::END, timeline::END),
        };
        let mut rooms = inbox::list_rooms(query)?;
        rooms.retain(|room| room.membership == "join");
        rooms.sort_by_key(|room| std::cmp::Reverse(room.changed_pos));
        let limit = usize::try_from(request.limit.min(MAX_LIMIT)).unwrap_or_default();
        let least = if request.highlights_only { Notify::Highlight } else { Notify::Notify };
        let mut found = newest(query, &rooms, (below, limit + 1), least)?;
        let more = found.len() > limit;
        found.truncate(limit);
        let next_token = found.last().filter(|_| more).map(|last| {
            let (inbox_pos, order_key) = last.place();
            format!("n{epoch}_{inbox_pos}_{order_key}")
        });
        let notifications = found
            .into_iter()
            .map(|found| {
                let room = rooms.get(found.room).ok_or_else(|| MatrixError::internal("a room is missing"))?;
                self.past_notification(room, found.event, &device)
            })
            .collect::<Result<_>>()?;
        Ok(NotificationPage { notifications, next_token })
    }

    fn past_notification(&self, room: &RoomRow, event: KeptEvent, device: &str) -> Result<PastNotification> {
        let own_device = event.device_id.as_deref() == Some(device);
        let extras = Extras {
            now: self.context.clock.now(),
            membership: event.membership.as_deref(),
            transaction_id: event.transaction_id.as_deref().filter(|_| own_device),
            relations: None,
        };
        let unread = UnreadEvents::parse(&room.unread)?;
        Ok(PastNotification {
            room_id: OwnedRoomId::try_from(room.room_id.as_str()).map_err(MatrixError::internal)?,
            event: put_together(&event.event, event.unsigned.as_deref(), event.ts, extras)?,
            highlight: event.notify == Notify::Highlight,
            // The list of unread events is longer than what is kept of a room.
            read: !event.position.is_some_and(|position| unread.has(position)),
            ts: event.ts,
        })
    }
}

/// The newest events below a place that notified, at most `limit`, newest first. `rooms` are in the
/// order of their last change.
fn newest(query: &dyn Query, rooms: &[RoomRow], (below, limit): (Place, usize), least: Notify) -> Result<Vec<Found>> {
    let ignored = ignored_users(query)?;
    let mut found: Vec<Found> = Vec::new();
    for (index, room) in rooms.iter().enumerate() {
        // What a room has came at its last change or before.
        let enough = found.len() >= limit && found.last().is_some_and(|last| last.place().0 >= room.changed_pos);
        if enough {
            break;
        }
        let events = timeline::list_notifying(
            query,
            Notifying { room_id: &room.room_id, from: room.kept_from, below, least, limit },
        )?;
        let shown = events.into_iter().filter(|event| !ignored.contains(&event.sender));
        found.extend(shown.map(|event| Found { room: index, event }));
        found.sort_by_key(|found| std::cmp::Reverse(found.place()));
        found.truncate(limit);
    }
    Ok(found)
}

/// The place of a `next_token`. One of another inbox reads as the newest, as with `/sync`.
fn place_of(token: &str, epoch: i64) -> Result<Place> {
    let mut numbers = token.strip_prefix('n').unwrap_or_default().split('_').map(canonical_integer);
    match (numbers.next().flatten(), numbers.next().flatten(), numbers.next().flatten(), numbers.next()) {
        (Some(of), Some(inbox_pos), Some(order_key), None) if of == epoch => Ok((inbox_pos, order_key)),
        (Some(_), Some(_), Some(_), None) => Ok((timeline::END, timeline::END)),
        _ => Err(MatrixError::invalid_param("This is not a token of /notifications.")),
    }
}
