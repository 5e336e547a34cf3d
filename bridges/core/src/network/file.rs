//! Files of a network's, and files on their way there.

use hubbub_storage::blobs::Body;
use serde::{Deserialize, Serialize};

/// A file of a remote message, as far as Matrix shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteFile {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Words that belong to it, other than its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// Its media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mimetype: Option<String>,
    /// Its bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Width and height of a picture or film, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<(u64, u64)>,
    /// How long a sound or film lasts, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Whether somebody spoke it into the network's own client.
    #[serde(default)]
    pub voice: bool,
    /// How loud it is, from 0 to 1024, at equal intervals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waveform: Vec<u64>,
    /// Whether it is hidden until somebody wants to see it.
    #[serde(default)]
    pub spoiler: bool,
    /// Where its bytes are.
    pub url: String,
    /// Where people look at it at the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// A file on its way to a network.
#[derive(Debug)]
pub struct FileUpload {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub mimetype: Option<String>,
    /// Whether it is hidden until somebody wants to see it.
    pub spoiler: bool,
    /// How many bytes there are.
    pub length: u64,
    /// The bytes.
    pub body: Body,
    /// How long the upload may take, in milliseconds.
    pub timeout_ms: u32,
}
