//! What the bot says, as plain text and as HTML.

use serde_json::{Value as Json, json};

use crate::web::page::escape;

/// A reply of the bot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    body: String,
    html: String,
}

impl Reply {
    /// A paragraph.
    pub(crate) fn text(text: &str) -> Self {
        Self::default().and_text(text)
    }

    /// One more paragraph; words in backticks are code.
    pub(crate) fn and_text(mut self, text: &str) -> Self {
        self.separate();
        self.body.push_str(text);
        self.html.push_str("<p>");
        for (index, piece) in escape(text).split('`').enumerate() {
            match index % 2 {
                0 => self.html.push_str(&piece.replace('\n', "<br>")),
                _ => self.html.push_str(&format!("<code>{piece}</code>")),
            }
        }
        self.html.push_str("</p>");
        self
    }

    /// A block of code.
    pub(crate) fn and_code(mut self, code: &str) -> Self {
        self.separate();
        self.body.push_str(code);
        self.html.push_str(&format!("<pre><code>{}</code></pre>", escape(code)));
        self
    }

    /// A list.
    pub(crate) fn and_list(mut self, items: &[String]) -> Self {
        self.separate();
        self.html.push_str("<ul>");
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.body.push('\n');
            }
            self.body.push_str(&format!("• {item}"));
            self.html.push_str(&format!("<li>{}</li>", escape(item)));
        }
        self.html.push_str("</ul>");
        self
    }

    fn separate(&mut self) {
        if !self.body.is_empty() {
            self.body.push_str("\n\n");
        }
    }

    /// The content of the event.
    pub(crate) fn content(&self) -> Json {
        json!({
            "msgtype": "m.notice",
            "body": self.body,
            "format": "org.matrix.custom.html",
            "formatted_body": self.html,
            "m.mentions": {},
        })
    }
}
