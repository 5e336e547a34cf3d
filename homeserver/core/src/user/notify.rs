//! Whether an event notifies, by real push rules as it arrives
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#receiving-notifications)).

use std::rc::Rc;

use futures_util::FutureExt as _;
use hubbub_storage::{
    database::Query,
    user::{
        state,
        timeline::{self, Notify, Stretch},
    },
};
use ruma::{
    OwnedRoomId, RoomVersionId, UInt, UserId,
    events::room::power_levels::RoomPowerLevelsEventContent,
    push::{PushConditionPowerLevelsCtx, PushConditionRoomCtx, Ruleset},
    room_version_rules::RoomPowerLevelsRules,
    serde::Raw,
};
use serde::Deserialize;
use serde_json::{Map, Value as Json, value::RawValue};

use super::account_data::ignored_users;
use crate::{
    contract::delivery::{DeliveredEvent, RoomFacts},
    error::Result,
};

/// What the rules ask about a room, gathered once a delivery.
pub(super) struct Notifications {
    rules: Rc<Ruleset>,
    context: PushConditionRoomCtx,
}

/// What an event means for the unread counts.
pub(super) struct Verdict {
    /// Whether it notifies.
    pub notify: Notify,
    /// The root of its thread; `None`: the main timeline.
    pub thread: Option<String>,
}

impl Notifications {
    pub fn new(
        query: &dyn Query,
        rules: Rc<Ruleset>,
        room_id: OwnedRoomId,
        user_id: &UserId,
        facts: &RoomFacts,
    ) -> Result<Self> {
        let name = own_name(query, room_id.as_str(), user_id)?;
        let count = UInt::try_from(facts.joined).unwrap_or(UInt::MAX);
        let mut context = PushConditionRoomCtx::new(room_id, count, user_id.to_owned(), name);
        context.power_levels = power_levels(facts);
        Ok(Self { rules, context })
    }

    /// How an event is to be notified (`sound`, `highlight`, …); `None`: it is not.
    pub fn tweaks(&self, event: &RawValue) -> Result<Option<Map<String, Json>>> {
        #[derive(Deserialize)]
        struct Tweak {
            set_tweak: String,
            value: Option<Json>,
        }
        let actions = self.actions(event);
        if !actions.iter().any(ruma::push::Action::should_notify) {
            return Ok(None);
        }
        let mut tweaks = Map::new();
        for action in &actions {
            // Those that set no tweak are not of this form.
            if let Ok(tweak) = serde_json::from_value::<Tweak>(serde_json::to_value(action)?) {
                // “If set_tweak is highlight and no value is given, its value defaults to true.”
                tweaks.insert(tweak.set_tweak, tweak.value.unwrap_or(Json::Bool(true)));
            }
        }
        Ok(Some(tweaks))
    }

    fn actions(&self, event: &RawValue) -> Vec<ruma::push::Action> {
        let raw: Raw<Json> = Raw::from_json(event.to_owned());
        // Without thread subscriptions the rules never wait for anything.
        self.rules.get_actions(&raw, &self.context).now_or_never().unwrap_or_default().to_vec()
    }

    /// Judges an event of somebody else.
    pub fn judge(&self, query: &dyn Query, kept_from: i64, event: &DeliveredEvent) -> Result<Verdict> {
        let actions = self.actions(&event.event);
        let notify = if !actions.iter().any(ruma::push::Action::should_notify)
            || ignored_users(query)?.iter().any(|ignored| event.sender == ignored.as_str())
        {
            Notify::Silent
        } else if actions.iter().any(ruma::push::Action::is_highlight) {
            Notify::Highlight
        } else {
            Notify::Notify
        };
        let thread = match thread_in(&event.event) {
            Threading::Reply(root) => Some(root),
            Threading::About(target) if notify != Notify::Silent => self.thread_of(query, kept_from, &target)?,
            _ => None,
        };
        Ok(Verdict { notify, thread })
    }

    /// The thread of an event that another one refers to, if the inbox still keeps it: an edit of
    /// or a reference to a threaded message belongs to the thread too.
    fn thread_of(&self, query: &dyn Query, kept_from: i64, event_id: &str) -> Result<Option<String>> {
        let kept = timeline::list_places(
            query,
            Stretch {
                room_id: self.context.room_id.as_str(),
                below: timeline::END,
                from: kept_from,
                limit: super::deliver::KEPT_EVENTS,
            },
        )?;
        Ok(kept.into_iter().find(|place| place.event_id == event_id).and_then(|place| place.thread))
    }
}

impl Verdict {
    /// Of an event that never notifies: an own one, whose thread matters to what refers to it.
    pub fn silent(event: &RawValue) -> Self {
        let thread = match thread_in(event) {
            Threading::Reply(root) => Some(root),
            Threading::About(_) | Threading::None => None,
        };
        Self { notify: Notify::Silent, thread }
    }
}

/// How an event belongs to a thread.
enum Threading {
    /// It is a reply in the thread with this root.
    Reply(String),
    /// It relates in another way to this event.
    About(String),
    /// It relates to nothing.
    None,
}

/// What `content.m.relates_to` of an event says.
fn thread_in(event: &RawValue) -> Threading {
    #[derive(Deserialize)]
    struct Event {
        content: Content,
    }
    #[derive(Deserialize)]
    struct Relation {
        rel_type: Option<String>,
        event_id: Option<String>,
    }
    #[derive(Deserialize)]
    struct Content {
        #[serde(rename = "m.relates_to")]
        relates_to: Option<Relation>,
    }
    if !event.get().contains("\"m.relates_to\"") {
        return Threading::None;
    }
    let relation = serde_json::from_str::<Event>(event.get()).ok().and_then(|event| event.content.relates_to);
    match relation {
        Some(Relation { rel_type: Some(rel_type), event_id: Some(root) }) if rel_type == "m.thread" => {
            Threading::Reply(root)
        }
        Some(Relation { event_id: Some(target), .. }) => Threading::About(target),
        _ => Threading::None,
    }
}

/// The user's name in the room, as the member event has it.
fn own_name(query: &dyn Query, room_id: &str, user_id: &UserId) -> Result<String> {
    #[derive(Deserialize)]
    struct Event {
        content: Content,
    }
    #[derive(Deserialize)]
    struct Content {
        displayname: Option<String>,
    }
    let member = state::get(query, room_id, "m.room.member", user_id.as_str())?;
    Ok(member
        .and_then(|member| serde_json::from_str::<Event>(&member.event).ok())
        .and_then(|event| event.content.displayname)
        .unwrap_or_else(|| user_id.localpart().to_owned()))
}

fn power_levels(facts: &RoomFacts) -> Option<PushConditionPowerLevelsCtx> {
    let content = facts.power_levels.as_ref()?;
    let content: RoomPowerLevelsEventContent = serde_json::from_str(content.get()).ok()?;
    let version = RoomVersionId::try_from(facts.room_version.as_str()).ok()?;
    let rules = version.rules()?;
    Some(PushConditionPowerLevelsCtx::new(
        content.users,
        content.users_default,
        content.notifications,
        RoomPowerLevelsRules::new(&rules.authorization, facts.creators.iter().cloned()),
    ))
}
