//! What waits for the dehydrated device, for the device that takes it over
//! ([MSC3814](https://github.com/matrix-org/matrix-spec-proposals/pull/3814)). `sync/to_device.rs` is the
//! same for a device that syncs.

use hubbub_storage::user::{inbox, key_jobs, to_device};

use super::{
    UserSyncObject,
    sync::{since, to_device as pages},
};
use crate::{
    contract::{to_device::DehydratedEvents, user::Caller},
    error::{MatrixError, Result},
};

impl UserSyncObject {
    pub(super) fn dehydrated_events(
        &self,
        caller: &Caller,
        device_id: &str,
        from: Option<&str>,
        limit: Option<usize>,
        delete_passed: bool,
    ) -> Result<DehydratedEvents> {
        self.check(caller)?;
        let query = self.query();
        if key_jobs::dehydrated(query)?.as_deref() != Some(device_id) {
            return Err(MatrixError::forbidden("This is not your dehydrated device."));
        }
        let inbox = inbox::get(query)?;
        let epoch = inbox.epoch;
        let after = from.map_or(Ok(0), |from| since(from, inbox).map(|since| since.to_device))?;
        if delete_passed && to_device::has_any_through(query, device_id, after)? {
            self.delete_arrived(device_id, after)?;
        }
        let limit = limit.unwrap_or(pages::MESSAGES).clamp(1, pages::MESSAGES);
        let page = pages::page(query, device_id, after, limit)?;
        let next_batch = format!("s{epoch}_{}", page.last.unwrap_or(after));
        Ok(DehydratedEvents { events: page.events, next_batch, more: page.more })
    }
}
