//! What the user's keys have become, for `/sync`.

use super::UserSyncObject;
use crate::{contract::keys_news::KeysNews, error::Result};

impl UserSyncObject {
    pub(super) fn keys_news(&self, news: &KeysNews) -> Result<i64> {
        let version = self.keys_version.get().max(news.version);
        self.keys_version.set(version);
        Ok(version)
    }
}
