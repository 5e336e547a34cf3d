//! Messages with files
//! ([docs](https://docs.discord.com/developers/reference#uploading-files)): the JSON as `payload_json`,
//! the bytes as `files[n]`.

use serde_json::{Value as Json, json};

/// A file to upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub mime: String,
    /// What its sender says about it.
    pub description: Option<String>,
    /// Whether it is hidden until somebody wants to see it.
    pub spoiler: bool,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Upload {
    fn file_name(&self) -> String {
        let safe: String = self
            .name
            .chars()
            .map(|c| if c.is_control() || matches!(c, '"' | '\\' | '/') { '_' } else { c })
            .take(200)
            .collect();
        let safe = if safe.is_empty() { "file".to_owned() } else { safe };
        if self.spoiler && !safe.starts_with("SPOILER_") { format!("SPOILER_{safe}") } else { safe }
    }
}

/// The body: nothing of a file's name or type can end a header or a part.
pub(super) fn multipart(mut payload: Json, files: &[Upload], boundary: &str) -> Vec<u8> {
    let listed: Vec<Json> = files
        .iter()
        .enumerate()
        .map(|(index, file)| match &file.description {
            Some(text) => {
                let text: String = text.chars().take(1_024).collect();
                json!({ "id": index, "filename": file.file_name(), "description": text })
            }
            None => json!({ "id": index, "filename": file.file_name() }),
        })
        .collect();
    if let Some(fields) = payload.as_object_mut() {
        fields.insert("attachments".to_owned(), Json::Array(listed));
    }
    let mut body = Vec::new();
    let mut part = |head: &str, bytes: &[u8]| {
        body.extend_from_slice(format!("--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n").as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    };
    part("name=\"payload_json\"\r\nContent-Type: application/json", payload.to_string().as_bytes());
    for (index, file) in files.iter().enumerate() {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-+.".contains(&byte);
        let mime =
            if !file.mime.is_empty() && file.mime.bytes().all(plain) { &file.mime } else { "application/octet-stream" };
        let head = format!("name=\"files[{index}]\"; filename=\"{}\"\r\nContent-Type: {mime}", file.file_name());
        part(&head, &file.bytes);
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    body
}
