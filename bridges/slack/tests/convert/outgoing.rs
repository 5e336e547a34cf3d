//! What is posted to Slack beside the formatting.

use crate::people::Workspace;
use hubbub_slack::convert::{POST_TEXT_LIMIT, to_slack};
use serde_json::{Value, json};

fn posts(content: Value) -> Vec<Value> {
    to_slack(&content, &Workspace).iter().map(|post| serde_json::to_value(post).unwrap()).collect()
}

fn post(content: Value) -> Value {
    let mut posts = posts(content);
    assert_eq!(posts.len(), 1);
    posts.remove(0)
}

fn section(elements: Value) -> Value {
    json!([{ "type": "rich_text", "elements": [{ "type": "rich_text_section", "elements": elements }] }])
}

#[test]
fn plain_text_is_escaped_in_the_text_and_literal_in_the_blocks() {
    let post = post(json!({ "msgtype": "m.text", "body": "<!channel> & *x*" }));
    assert_eq!(post["text"], "&lt;!channel&gt; &amp; *x*");
    assert_eq!(post["blocks"], section(json!([{ "type": "text", "text": "<!channel> & *x*" }])));
}

#[test]
fn at_room_reaches_the_channel_only_if_it_was_meant() {
    let meant = post(json!({ "msgtype": "m.text", "body": "hey @room!", "m.mentions": { "room": true } }));
    assert_eq!(meant["text"], "hey <!channel>!");
    assert_eq!(meant["blocks"][0]["elements"][0]["elements"][1], json!({ "type": "broadcast", "range": "channel" }));

    let not_meant = post(json!({ "msgtype": "m.text", "body": "hey @room!", "m.mentions": {} }));
    assert_eq!(not_meant["blocks"], section(json!([{ "type": "text", "text": "hey @room!" }])));
}

#[test]
fn an_emote_is_italic() {
    let post = post(json!({ "msgtype": "m.emote", "body": "waves" }));
    assert_eq!(post["text"], "_waves_");
    assert_eq!(post["blocks"], section(json!([{ "type": "text", "text": "waves", "style": { "italic": true } }])));
}

#[test]
fn reply_fallbacks_are_not_sent_again() {
    let post = post(json!({
        "msgtype": "m.text", "body": "> <@eve:elsewhere.example> old\n> words\n\nnew",
        "m.relates_to": { "m.in_reply_to": { "event_id": "$e1" } }
    }));
    assert_eq!(post["text"], "new");
}

#[test]
fn files_become_a_line_with_their_name_and_caption() {
    let image = post(json!({ "msgtype": "m.image", "body": "cat.png", "url": "mxc://a/b" }));
    assert_eq!(image["text"], "📎 cat.png");

    let captioned =
        post(json!({ "msgtype": "m.file", "body": "the *plan*", "filename": "plan.pdf", "url": "mxc://a/b" }));
    assert_eq!(captioned["text"], "the *plan*\n\n📎 plan.pdf");

    let place = post(json!({ "msgtype": "m.location", "body": "here", "geo_uri": "geo:1,2" }));
    assert_eq!(place["text"], "here\n\n📍 geo:1,2");
}

#[test]
fn html_that_needs_repair_falls_back_to_the_plain_body() {
    let html = "<b>".repeat(5_000);
    let post = post(
        json!({ "msgtype": "m.text", "body": "plain", "format": "org.matrix.custom.html", "formatted_body": html }),
    );
    assert_eq!(post["text"], "plain");
}

#[test]
fn the_worst_html_that_is_parsed_stays_cheap() {
    // Each paragraph closes the one around it and makes the parser copy every open tag.
    let open: String = (0..29).map(|number| format!("<b a=\"{number}\">")).collect();
    let html = format!("<p>{open}{}{}</p>", "<p>x</p>".repeat(1_900), "</b>".repeat(29));
    let started = std::time::Instant::now();
    let posts = posts(
        json!({ "msgtype": "m.text", "body": "plain", "format": "org.matrix.custom.html", "formatted_body": html }),
    );

    let said: usize = posts.iter().map(|post| post["text"].as_str().unwrap().matches('x').count()).sum();
    assert_eq!(said, 1_900, "the HTML was not parsed");
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn nothing_to_say_is_no_post() {
    assert!(posts(json!({ "msgtype": "m.text", "body": " \n" })).is_empty());
    assert!(
        posts(json!({ "msgtype": "m.text", "body": "", "format": "org.matrix.custom.html", "formatted_body": "<br>" }))
            .is_empty()
    );
    assert!(posts(json!({})).is_empty());
}

#[test]
fn a_long_message_becomes_several_posts_and_loses_nothing() {
    let words: Vec<String> = (0..9_000).map(|number| format!("w{number}")).collect();
    let posts = posts(json!({ "msgtype": "m.text", "body": words.join(" ") }));

    assert!(posts.len() > 10);
    let said: Vec<&str> = posts.iter().flat_map(|post| post["text"].as_str().unwrap().split_whitespace()).collect();
    assert_eq!(said, words);
}

#[test]
fn long_lists_code_and_quotes_are_cut_between_items_and_lines() {
    let items: String = (1..=600).map(|number| format!("<li>item number {number}</li>")).collect();
    let code: String = (1..=600).map(|number| format!("line number {number};\n")).collect();
    let html = format!(
        "<ol>{items}</ol><pre><code>{code}</code></pre><blockquote>{}</blockquote>",
        code.replace('\n', "<br>")
    );
    let posts =
        posts(json!({ "msgtype": "m.text", "body": "x", "format": "org.matrix.custom.html", "formatted_body": html }));

    let texts: Vec<&str> = posts.iter().map(|post| post["text"].as_str().unwrap()).collect();
    assert!(texts.iter().all(|text| text.encode_utf16().count() <= POST_TEXT_LIMIT + 2));
    let all = texts.join("\n");
    for number in 1..=600 {
        assert!(all.contains(&format!("{number}. item number {number}\n")), "item {number}");
        assert_eq!(all.matches(&format!("line number {number};")).count(), 2, "line {number}");
    }
}

#[test]
fn no_post_has_more_blocks_than_slack_takes() {
    let html = "a<hr>".repeat(200);
    let posts =
        posts(json!({ "msgtype": "m.text", "body": "x", "format": "org.matrix.custom.html", "formatted_body": html }));

    assert!(posts.iter().all(|post| post["blocks"].as_array().unwrap().len() <= 50));
    let dividers = posts
        .iter()
        .flat_map(|post| post["blocks"].as_array().unwrap())
        .filter(|block| block["type"] == "divider")
        .count();
    assert_eq!(dividers, 200);
}
