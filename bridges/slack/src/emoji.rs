//! Custom emoji and the workspace's icon: what Slack lists, and where their pictures are.

use std::collections::HashMap;

use hubbub_bridge::network::{CustomEmoji, ListedEmoji};
use serde_json::Value as Json;

use crate::convert;

/// How many aliases may lead to an emoji.
const MOST_ALIASES: usize = 5;

/// The name of the custom emoji whose reaction this is the key of; `None` when it is a character.
pub(crate) fn custom(key: &str) -> Option<&str> {
    (key.is_ascii() && !key.is_empty() && convert::shown_reaction(key) == format!(":{key}:")).then_some(key)
}

/// The emoji in an answer of [`emoji.list`](https://docs.slack.dev/reference/methods/emoji.list), aliases resolved.
/// Those whose picture is not at Slack, and aliases of characters, are left out.
pub(crate) fn listed(emoji: &Json) -> Vec<ListedEmoji> {
    let values = emoji.as_object().into_iter().flatten();
    let values: HashMap<&str, &str> =
        values.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect();
    let read = |name: &&str| {
        let mut stands_for = *name;
        let mut value = *values.get(name)?;
        for _ in 0..MOST_ALIASES {
            let Some(other) = value.strip_prefix("alias:") else { break };
            (stands_for, value) = (other, *values.get(other)?);
        }
        is_slacks(value).then(|| ListedEmoji {
            emoji: CustomEmoji { name: (*name).to_owned(), id: None },
            picture: value.to_owned(),
            alias_of: Some(stands_for.to_owned()).filter(|other| other != name),
        })
    };
    values.keys().filter_map(read).collect()
}

/// The picture of a workspace of [`team.info`](https://docs.slack.dev/reference/methods/team.info), unless it is the one
/// that Slack gives to all.
pub(crate) fn icon(team: &Json) -> Option<String> {
    let icon = team.get("icon")?;
    if icon.get("image_default") == Some(&Json::Bool(true)) {
        return None;
    }
    let sizes = ["image_230", "image_132", "image_102", "image_88"];
    let url = sizes.iter().find_map(|size| icon.get(size)?.as_str())?;
    is_slacks(url).then(|| url.to_owned())
}

/// Whether an address is one of Slack's own: who made the emoji may have had a say in where it is.
fn is_slacks(url: &str) -> bool {
    let Ok(url) = url::Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default();
    url.scheme() == "https"
        && ["slack-edge.com", "slack.com", "slack-files.com"]
            .iter()
            .any(|known| host == *known || host.strip_suffix(known).is_some_and(|before| before.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn aliases_have_the_picture_of_what_they_stand_for() {
        let parrot = "https://emoji.slack-edge.com/T1/parrot/1.gif";
        let mut found = listed(&json!({
            "parrot": parrot, "bird": "alias:parrot", "pet": "alias:bird", "plus": "alias:+1", "a": "alias:b",
            "b": "alias:a", "odd": 5,
        }));
        found.sort_by(|left, right| left.emoji.cmp(&right.emoji));
        let found: Vec<_> = found.iter().map(|one| (one.emoji.name.as_str(), one.picture.as_str())).collect();
        assert_eq!(found, [("bird", parrot), ("parrot", parrot), ("pet", parrot)]);
    }

    #[test]
    fn pictures_at_other_hosts_are_none() {
        for url in [
            "http://emoji.slack-edge.com/a.png",
            "https://example.org/a.png",
            "https://notslack-edge.com/a.png",
            "https://emoji.slack-edge.com.example.org/a.png",
            "https://emoji.slack-edge.com@example.org/a.png",
            "data:image/png;base64,AAAA",
            "",
        ] {
            assert!(listed(&json!({ "x": url })).is_empty(), "{url}");
            assert_eq!(icon(&json!({ "icon": { "image_132": url } })), None, "{url}");
        }
    }

    #[test]
    fn a_workspace_without_an_icon_of_its_own_has_none() {
        let url = "https://avatars.slack-edge.com/1_132.png";
        assert_eq!(icon(&json!({ "icon": { "image_132": url } })).as_deref(), Some(url));
        assert_eq!(icon(&json!({ "icon": { "image_132": url, "image_default": true } })), None);
        assert_eq!(icon(&json!({ "id": "T1" })), None);
    }
}
