//! Profile fields beyond name and avatar
//! ([spec](https://spec.matrix.org/v1.16/client-server-api/#profiles)): kept here, shown from D1.

use hubbub_storage::{
    database::transaction,
    directory::profile_fields as directory,
    user::profile_fields::{self, Field},
};
use serde_json::value::RawValue;

use super::UserSyncObject;
use crate::{
    error::{MatrixError, Result},
    object::ALARM_DELAY_MS,
};

/// “The total size of the profile … 64KiB.”
const MAX_PROFILE_BYTES: usize = 64 * 1024;

impl UserSyncObject {
    /// Sets or removes a field. Answers once D1 shows it.
    pub(super) async fn set_profile_field(&self, name: String, value: Option<Box<RawValue>>) -> Result<()> {
        let field = Field { name, value: value.map(|value| value.get().to_owned()) };
        transaction(self.database.as_ref(), |transaction| {
            let query = transaction.as_query();
            let held = profile_fields::get(query, &field.name)?;
            if held == field.value {
                return Ok(());
            }
            if let Some(value) = &field.value {
                let others = profile_fields::list(query)?;
                let account = self.account()?.ok_or_else(|| MatrixError::not_found("There is no such user."))?;
                let names = [account.displayname, account.avatar_url];
                let size = others
                    .iter()
                    .filter(|(name, _)| *name != field.name)
                    .map(|(name, value)| name.len() + value.len())
                    .chain([field.name.len() + value.len()])
                    .chain(names.into_iter().flatten().map(|name| name.len()))
                    .sum::<usize>();
                if size > MAX_PROFILE_BYTES {
                    return Err(MatrixError::new(400, "M_PROFILE_TOO_LARGE", "A profile may have at most 64 KiB."));
                }
            }
            profile_fields::put(transaction, &field)?;
            transaction.set_alarm(self.context.clock.now() + ALARM_DELAY_MS)?;
            Ok(())
        })?;
        self.mirror_profile_fields().await
    }

    /// Writes to D1 what it does not know yet.
    pub(super) async fn mirror_profile_fields(&self) -> Result<()> {
        let _held = self.in_flight.lock("profile fields").await;
        loop {
            let fields = profile_fields::list_unmirrored(self.query())?;
            if fields.is_empty() {
                return Ok(());
            }
            let statements = fields.iter().map(|field| directory::statement(self.user_id.as_str(), field)).collect();
            self.context.directory.batch(statements).await?;
            self.context.failpoints.pass("user.profile_fields_mirrored").await;
            transaction(self.database.as_ref(), |transaction| {
                for field in &fields {
                    profile_fields::set_mirrored(transaction, field)?;
                }
                Ok::<_, MatrixError>(())
            })?;
        }
    }
}
