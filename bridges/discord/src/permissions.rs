//! Who may do what in a channel
//! ([docs](https://docs.discord.com/developers/topics/permissions#permission-overwrites)): a server's roles, and what a
//! channel changes of them. Without I/O.

use serde_json::Value as Json;

use crate::text_of;

/// May do everything.
const ADMINISTRATOR: u64 = 1 << 3;
/// May see the channel.
pub const VIEW_CHANNEL: u64 = 1 << 10;
/// May write there.
pub const SEND_MESSAGES: u64 = 1 << 11;
/// May delete what others wrote.
pub const MANAGE_MESSAGES: u64 = 1 << 13;

/// A server, as far as permissions go.
pub struct Guild<'a> {
    /// Its object: with its roles, or of a list of servers.
    pub guild: &'a Json,
    /// Its id.
    pub id: &'a str,
}

fn bits(value: &Json, key: &str) -> u64 {
    value.get(key).and_then(Json::as_str).and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn list<'a>(value: &'a Json, key: &str) -> impl Iterator<Item = &'a Json> {
    value.get(key).and_then(Json::as_array).into_iter().flatten()
}

impl Guild<'_> {
    /// What a member (an object with `user` and `roles`) may do in a channel, as bits.
    #[must_use]
    pub fn permissions(&self, member: &Json, channel: &Json) -> u64 {
        let roles =
            list(self.guild, "roles").filter(|role| text_of(role, "id").is_some_and(|id| self.has(member, &id)));
        let base = roles.fold(0, |all, role| all | bits(role, "permissions"));
        let user = user_of(member);
        let owns = !user.is_empty() && text_of(self.guild, "owner_id").as_deref() == Some(&user);
        self.in_channel(if owns { ADMINISTRATOR } else { base }, member, channel)
    }

    /// The same by what the member may do in the whole server, as Discord says it in a list of servers.
    #[must_use]
    pub fn permissions_there(&self, member: &Json, channel: &Json) -> u64 {
        self.in_channel(bits(self.guild, "permissions"), member, channel)
    }

    fn has(&self, member: &Json, role: &str) -> bool {
        role == self.id || list(member, "roles").any(|one| one.as_str() == Some(role))
    }

    fn in_channel(&self, base: u64, member: &Json, channel: &Json) -> u64 {
        if base & ADMINISTRATOR != 0 {
            return u64::MAX;
        }
        let user = user_of(member);
        // Everybody's first, then all roles together, then the member's own.
        let overwrites = |wanted: &dyn Fn(&str) -> bool| {
            let all = list(channel, "permission_overwrites");
            let of = all.filter(|one| text_of(one, "id").is_some_and(|id| wanted(&id)));
            of.fold((0, 0), |(deny, allow), one| (deny | bits(one, "deny"), allow | bits(one, "allow")))
        };
        let mut allowed = base;
        for (deny, allow) in [
            overwrites(&|id| id == self.id),
            overwrites(&|id| id != self.id && id != user && self.has(member, id)),
            overwrites(&|id| !user.is_empty() && id == user),
        ] {
            allowed = allowed & !deny | allow;
        }
        // Who does not see a channel can do nothing there.
        if allowed & VIEW_CHANNEL == 0 { 0 } else { allowed }
    }
}

fn user_of(member: &Json) -> String {
    member.get("user").and_then(|user| text_of(user, "id")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn may(overwrites: Json, roles: Json, user: &str) -> u64 {
        let all = (VIEW_CHANNEL | SEND_MESSAGES).to_string();
        let guild = json!({ "owner_id": "9", "roles": [
            { "id": "1", "permissions": all },
            { "id": "2", "permissions": MANAGE_MESSAGES.to_string() },
            { "id": "3", "permissions": ADMINISTRATOR.to_string() },
        ] });
        let member = json!({ "user": { "id": user }, "roles": roles });
        Guild { guild: &guild, id: "1" }.permissions(&member, &json!({ "permission_overwrites": overwrites }))
    }

    #[test]
    fn roles_add_up_and_a_channel_changes_them_in_order() {
        let (view, send) = (VIEW_CHANNEL.to_string(), SEND_MESSAGES.to_string());
        assert_eq!(may(json!([]), json!([]), "5"), VIEW_CHANNEL | SEND_MESSAGES);
        assert_eq!(may(json!([]), json!(["2"]), "5"), VIEW_CHANNEL | SEND_MESSAGES | MANAGE_MESSAGES);
        let closed = json!({ "id": "1", "allow": "0", "deny": send });
        assert_eq!(may(json!([closed]), json!([]), "5"), VIEW_CHANNEL);
        let for_role = json!({ "id": "2", "allow": send, "deny": "0" });
        assert_eq!(may(json!([closed, for_role]), json!(["2"]), "5") & SEND_MESSAGES, SEND_MESSAGES);
        let for_one = json!({ "id": "5", "allow": "0", "deny": view });
        assert_eq!(may(json!([for_role, for_one]), json!(["2"]), "5"), 0, "unseen is undone");
    }

    #[test]
    fn owners_and_administrators_may_do_everything() {
        let closed = json!([{ "id": "1", "allow": "0", "deny": VIEW_CHANNEL.to_string() }]);
        assert_eq!(may(closed.clone(), json!([]), "9"), u64::MAX);
        assert_eq!(may(closed, json!(["3"]), "5"), u64::MAX);
    }
}
