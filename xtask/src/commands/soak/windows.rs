//! The failpoints: one after each commit (or answer of another side) that is followed by an `await`, where a process may die.

use std::collections::BTreeMap;

/// What makes the server pass a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trigger {
    /// Messages both ways do, and people who encrypt.
    Traffic,
    /// An account is made.
    Register,
    /// A name is changed.
    Profile,
    /// A room with an alias and an invitation is made.
    CreateRoom,
    /// Somebody joins and leaves a room.
    Membership,
    /// A message concerns an appservice that is reached over HTTP.
    Appservice,
    /// A login is started.
    LoginStart,
    /// The login gets its secrets once more.
    LoginFinish,
    /// A channel is bridged.
    Bridge,
    /// A message goes to a channel that takes none.
    Refusal,
}

/// All of them.
pub(super) const WINDOWS: &[(&str, Trigger)] = &[
    ("room.after_append", Trigger::Traffic),
    ("room.after_delivery", Trigger::Traffic),
    ("room.after_archive", Trigger::Traffic),
    ("room.after_index", Trigger::Traffic),
    ("room.after_create", Trigger::CreateRoom),
    ("room.after_membership", Trigger::Membership),
    ("user.account_made", Trigger::Register),
    ("user.profile_set", Trigger::Profile),
    ("user.mirrored", Trigger::Profile),
    ("user.room_intended", Trigger::CreateRoom),
    ("user.room_made", Trigger::CreateRoom),
    ("user.room_invited", Trigger::CreateRoom),
    ("user.to_device_handed_over", Trigger::Traffic),
    ("user.device_list_told", Trigger::Traffic),
    ("keys.uploaded", Trigger::Traffic),
    ("keys.told", Trigger::Traffic),
    ("keys.mirrored", Trigger::Traffic),
    ("appservice.before_dispatch", Trigger::Traffic),
    ("appservice.after_dispatch", Trigger::Traffic),
    ("appservice.before_send", Trigger::Appservice),
    ("appservice.after_send", Trigger::Appservice),
    ("login.after_start_commit", Trigger::LoginStart),
    ("login.after_finish_commit", Trigger::LoginFinish),
    ("login.after_hook_commit", Trigger::Traffic),
    ("login.after_portal_commit", Trigger::Bridge),
    ("login.after_handover", Trigger::Traffic),
    ("login.after_handover_commit", Trigger::Traffic),
    ("portal.after_step_commit", Trigger::Bridge),
    ("portal.after_create", Trigger::Bridge),
    ("portal.after_remote_commit", Trigger::Traffic),
    ("portal.before_apply", Trigger::Traffic),
    ("portal.after_apply", Trigger::Traffic),
    ("portal.after_inbound_commit", Trigger::Traffic),
    ("portal.after_matrix_commit", Trigger::Traffic),
    ("portal.after_attempt_commit", Trigger::Traffic),
    ("portal.after_send", Trigger::Traffic),
    ("portal.after_outbound_commit", Trigger::Traffic),
    ("portal.after_refusal_commit", Trigger::Refusal),
    ("portal.after_mirror", Trigger::Traffic),
];

/// The window where the portal is held while a group is injected.
pub(super) const HOLD: &str = "portal.before_apply";

/// How something strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Strike {
    /// `kill -9` of workerd.
    Kill,
    /// The object is reset.
    Abort,
    /// The program panics.
    Panic,
}

/// How often something struck where.
#[derive(Default)]
pub(super) struct Tally(BTreeMap<(&'static str, Strike), u64>);

impl Tally {
    /// Counts one.
    pub fn add(&mut self, window: &'static str, strike: Strike) {
        *self.0.entry((window, strike)).or_default() += 1;
    }

    /// How often this struck there.
    pub fn count(&self, window: &'static str, strike: Strike) -> u64 {
        self.0.get(&(window, strike)).copied().unwrap_or(0)
    }

    /// How often anything struck there.
    pub fn at(&self, window: &'static str) -> u64 {
        [Strike::Kill, Strike::Abort, Strike::Panic].into_iter().map(|strike| self.count(window, strike)).sum()
    }

    /// The windows where nothing has struck yet.
    pub fn missing(&self) -> Vec<(&'static str, Trigger)> {
        WINDOWS.iter().copied().filter(|(window, _)| self.at(window) == 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::WINDOWS;
    use crate::workspace::root;

    /// Failpoints that no message passes: native tests crash there, with seeds.
    const ELSEWHERE: [&str; 22] = [
        "media.begun",
        "media.released",
        "media.stored",
        "media.superfluous",
        "portal.after_catch_up_commit",
        "portal.after_file",
        "portal.after_upload",
        "room.after_listing",
        "room.after_probe",
        "room.after_profile",
        "room.after_rebuild",
        "room.after_stage",
        "user.after_push",
        "user.appservice_told",
        "user.deactivated",
        "user.first_sync_intended",
        "user.inbox_told",
        "user.keys_told",
        "user.profile_fields_mirrored",
        "user.room_left",
        "user.upgrade_intended",
        "user.upgrade_step",
    ];

    #[test]
    fn every_failpoint_of_the_sources_is_a_window_or_struck_elsewhere() {
        let mut found = BTreeSet::new();
        for folder in ["homeserver/core/src", "homeserver/api/src", "homeserver/worker/src", "appservice/src"] {
            collect(&root().join(folder), &mut found, ".pass(\"");
        }
        collect(&root().join("bridges/core/src/failpoints.rs"), &mut found, "&str = \"");
        let windows: BTreeSet<String> =
            WINDOWS.iter().map(|(window, _)| *window).chain(ELSEWHERE).map(ToOwned::to_owned).collect();
        assert_eq!(found, windows);
    }

    /// The names that follow `before` in the files of a folder.
    fn collect(path: &Path, found: &mut BTreeSet<String>, before: &str) {
        if path.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                collect(&entry.unwrap().path(), found, before);
            }
            return;
        }
        let text = fs::read_to_string(path).unwrap_or_default();
        let names = text.split(before).skip(1).filter_map(|rest| rest.split('"').next());
        found.extend(names.map(str::to_owned));
    }
}
