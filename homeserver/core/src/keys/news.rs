//! Telling others of changes: the user's UserSyncObject, which has `/sync` and the rooms to tell,
//! and D1, from which a lost object is made anew.
//!
//! Both are latest values: what is told is read when it is told, so any number of changes is one
//! telling, and repeating it is harmless.

use hubbub_storage::{
    database::transaction,
    directory::{self, Statement, stuck},
    keys::{
        self, State,
        cross_signing::{self, Signature},
        devices::{self, Device},
        mirror, one_time,
    },
    schema,
};
use serde_json::{Map, Value as Json, json};

use super::{Change, UserKeysObject, cross_signing::public_key};
use crate::{
    contract::{
        Address, call,
        keys_news::{DeviceKeyCounts, KeysNews},
        user::UserCommand,
    },
    error::{MatrixError, Result},
    object::ALARM_DELAY_MS,
};

/// After this many milliseconds undone work is reported to D1's `stuck`.
const STUCK_AFTER_MS: i64 = 60_000;

impl UserKeysObject {
    pub(super) async fn do_work(&self) -> Option<i64> {
        if !self.exists() {
            return None;
        }
        let results = [self.tell().await, self.mirror().await];
        let failed = results.into_iter().find_map(Result::err)?;
        tracing::warn!(user.id = %self.user_id, "News of keys are left and are told again: {failed}");
        let now = self.context.clock.now();
        if let Ok(State { waiting_since: Some(since), .. }) = keys::get(self.query())
            && now - since > STUCK_AFTER_MS
        {
            let directory = self.context.directory.as_ref();
            if let Err(error) = stuck::mark(directory, "UserKeys", self.user_id.as_str(), since).await {
                tracing::warn!("D1's list of stuck objects is out of reach: {error}");
            }
        }
        Some(now + ALARM_DELAY_MS)
    }

    /// Tells the user's object, before an answer after which the user may look.
    pub(super) async fn tell_soon(&self) {
        if let Err(error) = self.tell().await {
            tracing::warn!(user.id = %self.user_id, "News of keys are told later: {error}");
        }
    }

    async fn tell(&self) -> Result<()> {
        if !self.exists() {
            return Ok(());
        }
        let _held = self.in_flight.lock("news").await;
        // A second time only when the other side was ahead.
        for _ in 0..2 {
            let state = keys::get(self.query())?;
            if !state.has_news() {
                return Ok(());
            }
            let news = self.news(&state)?;
            let (version, list_changed) = (news.version, news.list_changed);
            let command = UserCommand::KeysNews(news);
            let held: i64 = call(self.context.objects.as_ref(), Address::user(&self.user_id), &command).await?;
            self.context.failpoints.pass("keys.told").await;
            self.note(|state| {
                if held <= version {
                    state.told = state.told.max(version);
                    state.counts.retain(|_, changed| *changed > version);
                    return;
                }
                // This object lost its storage and counts anew: go on above what the other holds.
                state.version = state.version.max(held) + 1;
                state.told = held;
                for changed in state.counts.values_mut() {
                    *changed = state.version;
                }
                if list_changed {
                    state.list_version = state.version;
                }
            })?;
        }
        Ok(())
    }

    fn news(&self, state: &State) -> Result<KeysNews> {
        let counts = state.counts.keys().map(|device_id| {
            let one_time_keys = self.key_counts(device_id)?;
            Ok(DeviceKeyCounts {
                device_id: device_id.as_str().into(),
                one_time_keys: one_time_keys
                    .into_iter()
                    .map(|(algorithm, count)| (algorithm.as_str().into(), count))
                    .collect(),
                unused_fallback_keys: one_time::unused_fallbacks(self.query(), device_id)?
                    .into_iter()
                    .map(|algorithm| algorithm.as_str().into())
                    .collect(),
            })
        });
        Ok(KeysNews {
            version: state.version,
            list_changed: state.list_version > state.told,
            counts: counts.collect::<Result<_>>()?,
        })
    }

    /// Notes that others know more.
    fn note(&self, mut work: impl FnMut(&mut State)) -> Result<()> {
        transaction(self.database.as_ref(), |transaction| {
            let before = keys::get(transaction.as_query())?;
            let mut state = before.clone();
            work(&mut state);
            if state.is_idle() {
                state.waiting_since = None;
            }
            if state != before {
                keys::put(transaction, &state)?;
            }
            Ok(())
        })
    }

    async fn mirror(&self) -> Result<()> {
        let _held = self.in_flight.lock("mirror").await;
        let state = keys::get(self.query())?;
        if state.unmirrored.is_empty() {
            return Ok(());
        }
        let statements = self.mirror_statements(&state)?;
        self.context.directory.batch(statements).await?;
        self.context.failpoints.pass("keys.mirrored").await;
        self.note(|now| {
            now.unmirrored.retain(|name, changed| state.unmirrored.get(name) != Some(changed));
        })
    }

    fn mirror_statements(&self, state: &State) -> Result<Vec<Statement>> {
        let user_id = self.user_id.as_str();
        let mut statements = Vec::new();
        for name in state.unmirrored.keys() {
            if name == mirror::CROSS_SIGNING {
                let there = cross_signing::list(self.query())?;
                for usage in super::cross_signing::USAGES {
                    statements.push(match there.get(usage) {
                        Some(key) => mirror::put_cross_signing(user_id, usage, &self.whole_key(key)?),
                        None => mirror::delete_cross_signing(user_id, usage),
                    });
                }
                continue;
            }
            statements.push(match devices::get(self.query(), name)? {
                Some(device) => {
                    let keys = self.with_signatures(&device.keys, name)?;
                    mirror::put_device(user_id, name, &keys, device.display_name.as_deref())
                }
                None => mirror::delete_device(user_id, name),
            });
        }
        Ok(statements)
    }

    fn whole_key(&self, key: &str) -> Result<String> {
        let object: Map<String, Json> = serde_json::from_str(key)?;
        let target = public_key(&object).map(|(_, key)| key).unwrap_or_default();
        self.with_signatures(key, &target)
    }

    /// A signed object with every signature that was uploaded for it.
    fn with_signatures(&self, object: &str, target: &str) -> Result<String> {
        let mut object: Map<String, Json> = serde_json::from_str(object)?;
        let all = object.entry("signatures").or_insert_with(|| json!({}));
        for Signature { signer, key_id, signature, .. } in cross_signing::signatures_of(self.query(), target)? {
            if let Some(all) = all.as_object_mut()
                && let Some(of_signer) = all.entry(signer).or_insert_with(|| json!({})).as_object_mut()
            {
                of_signer.insert(key_id, signature.into());
            }
        }
        Ok(serde_json::to_string(&object)?)
    }

    /// Takes from D1 what an object without storage should have. Whoever never had keys has none
    /// there either, and nothing is written.
    pub(super) async fn recover(&self) -> Result<()> {
        if self.exists() || self.sought.get() {
            return Ok(());
        }
        let found = directory::keys::get(self.context.directory.as_ref(), self.user_id.as_str()).await?;
        self.sought.set(true);
        // Others may have come first while D1 answered.
        if self.exists() || (found.devices.is_empty() && found.cross_signing.is_empty()) {
            return Ok(());
        }
        schema::migrate(self.database.as_ref(), keys::SCHEMA)?;
        self.exists.set(true);
        tracing::warn!(user.id = %self.user_id, "The keys of {} were lost and are taken from D1", self.user_id);
        self.change(|transaction, change| {
            for Device { device_id, keys, display_name } in &found.devices {
                let (keys, foreign) = self.split_signatures(keys, device_id)?;
                let device = Device { device_id: device_id.clone(), keys, display_name: display_name.clone() };
                devices::put(transaction, &device)?;
                for signature in &foreign {
                    cross_signing::sign(transaction, signature)?;
                }
                // One-time keys are gone: the device is told to make new ones.
                change.counts(device_id);
            }
            for (usage, key) in &found.cross_signing {
                let object: Map<String, Json> = serde_json::from_str(key)?;
                let target = public_key(&object).map(|(_, key)| key).unwrap_or_default();
                let (key, foreign) = self.split_signatures(key, &target)?;
                cross_signing::put(transaction, usage, &key)?;
                for signature in &foreign {
                    cross_signing::sign(transaction, signature)?;
                }
            }
            lists_changed(change);
            Ok(())
        })
    }

    /// The object with the owner's signatures, and those of others.
    fn split_signatures(&self, object: &str, target: &str) -> Result<(String, Vec<Signature>)> {
        let mut object: Map<String, Json> = serde_json::from_str(object)?;
        let mut foreign = Vec::new();
        if let Some(all) = object.get_mut("signatures").and_then(Json::as_object_mut) {
            all.retain(|signer, signatures| {
                if signer == self.user_id.as_str() {
                    return true;
                }
                for (key_id, signature) in signatures.as_object().into_iter().flatten() {
                    foreign.push(Signature {
                        target: target.to_owned(),
                        signer: signer.clone(),
                        key_id: key_id.clone(),
                        signature: signature.as_str().unwrap_or_default().to_owned(),
                    });
                }
                false
            });
        }
        Ok((serde_json::to_string(&object).map_err(MatrixError::internal)?, foreign))
    }
}

/// Everyone must hear, but D1 knows it already.
fn lists_changed(change: &mut Change) {
    let version = change.next_version();
    change.state.list_version = version;
}
