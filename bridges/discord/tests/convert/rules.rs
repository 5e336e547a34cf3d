//! What is no formatting: whom a message pings, how it is cut, what stands beside it.

use crate::people::{Server, content, contents};
use hubbub_discord::convert::{Files, POST_LIMIT, from_discord, references, to_discord};
use hubbub_discord::remote_id::Snowflake;
use serde_json::{Value, json};

fn post(content: Value) -> hubbub_discord::convert::Post {
    let mut posts = to_discord(&content, &Server);
    assert_eq!(posts.len(), 1);
    posts.remove(0)
}

fn html(html: &str, mentions: Value) -> Value {
    json!({ "msgtype": "m.text", "body": "x", "format": "org.matrix.custom.html", "formatted_body": html, "m.mentions": mentions })
}

#[test]
fn a_reply_mentions_whom_it_answers_without_naming_them() {
    let message = json!({ "type": 19, "content": "yes", "mentions": [{ "id": "1", "username": "alice" }] });
    assert_eq!(content(&message)["m.mentions"], json!({ "user_ids": ["@_discord_1:hub.example"] }));
}

#[test]
fn everyone_pings_the_room_only_where_discord_says_so() {
    let text = "@everyone and @here";
    let quiet = content(&json!({ "content": text, "mention_everyone": false }));
    assert_eq!((&quiet["m.mentions"], &quiet["body"]), (&json!({}), &json!(text)));
    let loud = content(&json!({ "content": text, "mention_everyone": true }));
    assert_eq!(loud["m.mentions"], json!({ "room": true }));
}

#[test]
fn a_post_may_ping_only_whom_the_sender_meant() {
    let link = "<a href=\"https://matrix.to/#/@_discord_1:hub.example\">Alice</a> @room";
    let meant = post(html(link, json!({ "user_ids": ["@_discord_1:hub.example"], "room": true })));
    assert_eq!((meant.users, meant.everyone), (vec![Snowflake(1)], true));
    assert_eq!(meant.content, "<@1> @everyone");
    let silent = post(html(link, json!({})));
    assert_eq!((silent.users, silent.everyone), (vec![], false));
    assert_eq!(silent.content, "<@1> @room");
}

#[test]
fn words_that_discord_would_ping_by_are_broken() {
    let post = post(json!({ "msgtype": "m.text", "body": "@everyone @here <@1> <@&20>" }));
    assert_eq!(post.content, "@\u{200b}everyone @\u{200b}here \\<@1> \\<@&20>");
}

#[test]
fn a_long_text_is_cut_at_2000_utf16_units_and_loses_nothing() {
    for word in ["wörd ", "🎉", "*_~ ", "line\n"] {
        let body = word.repeat(3_000);
        let posts = to_discord(&json!({ "msgtype": "m.text", "body": body }), &Server);
        assert!(posts.len() > 1);
        assert!(posts.iter().all(|post| post.content.encode_utf16().count() <= POST_LIMIT));
        let kept = |text: &str| text.chars().filter(|c| !c.is_whitespace() && *c != '\\').count();
        assert_eq!(posts.iter().map(|post| kept(&post.content)).sum::<usize>(), kept(&body), "{word}");
    }
}

#[test]
fn code_that_is_cut_stays_code() {
    let body = format!("<pre><code class=\"language-rust\">{}</code></pre>", "let x = 1;\n".repeat(400));
    let posts = to_discord(&html(&body, json!({})), &Server);
    assert!(posts.len() > 2);
    for post in posts {
        assert!(post.content.starts_with("```rust\n") && post.content.ends_with("\n```"), "{}", post.content);
    }
}

#[test]
fn an_address_that_is_too_long_for_a_link_is_text() {
    let url = format!("https://a.example/{}", "x".repeat(5_000));
    let posts = to_discord(&html(&format!("<a href=\"{url}\">here</a>"), json!({})), &Server);
    assert!(posts.iter().all(|post| post.content.encode_utf16().count() <= POST_LIMIT));
    assert_eq!(posts.iter().map(|post| post.content.matches('x').count()).sum::<usize>(), 5_000 + 1);
}

#[test]
fn files_are_listed_with_what_their_event_needs() {
    let message = json!({ "content": "", "flags": 1 << 13, "attachments": [{
        "id": "70", "filename": "voice-message.ogg", "content_type": "audio/ogg", "size": 1000,
        "url": "https://cdn.discordapp.com/attachments/1/70/voice-message.ogg?ex=1&is=2&hm=3", "duration_secs": 1.5,
    }] });
    let incoming = from_discord(&message, &Server, Files::ByThemselves);
    assert!(incoming.contents.is_empty());
    let file = &incoming.files[0];
    assert_eq!((file.id.as_str(), file.duration, file.voice, file.spoiler), ("70", Some(1_500), true, false));
}

#[test]
fn no_event_holds_an_address_that_expires() {
    let url = "https://cdn.discordapp.com/attachments/1/2/a.png?ex=1&is=2&hm=3";
    let message = json!({
        "attachments": [{ "id": "2", "filename": "a.png", "url": url, "size": 1 }],
        "embeds": [{ "title": "t", "image": { "url": url }, "thumbnail": { "url": url } }],
    });
    assert!(!content(&message).to_string().contains("cdn.discordapp.com"));
}

#[test]
fn a_threads_starter_repeats_nothing() {
    assert!(contents(&json!({ "type": 21, "content": "", "referenced_message": { "content": "x" } })).is_empty());
}

#[test]
fn an_unknown_type_is_visible_with_a_link() {
    let message = json!({ "type": 999, "content": "hm", "id": "3", "channel_id": "10", "guild_id": "5" });
    let shown = content(&message);
    assert_eq!(shown["msgtype"], "m.notice");
    assert!(shown["body"].as_str().unwrap().contains("type 999"));
    assert!(shown["body"].as_str().unwrap().contains("https://discord.com/channels/5/10/3"));
}

#[test]
fn references_name_everybody_once() {
    let message = json!({
        "author": { "id": "1" }, "content": "<@2> <@!2> <#10> <@&20> <:party:30> <a:wave:31>",
        "mentions": [{ "id": "2" }],
    });
    let found = references(&message);
    assert_eq!((found.users.len(), found.channels.len(), found.roles.len()), (2, 1, 1));
    assert_eq!(found.emoji[1], ("wave".to_owned(), "a:31".to_owned()));
}

#[test]
fn a_caption_is_sent_and_a_bare_file_name_is_not() {
    let image = json!({ "msgtype": "m.image", "body": "cat.png", "filename": "cat.png", "url": "mxc://a/b" });
    assert!(to_discord(&image, &Server).is_empty());
    let captioned = json!({ "msgtype": "m.image", "body": "my cat", "filename": "cat.png", "url": "mxc://a/b" });
    assert_eq!(post(captioned).content, "my cat");
}
