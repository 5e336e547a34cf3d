//! The places where a fault test may stop or kill the bridge: after each commit (or answer of
//! another side) that is followed by an `await`. The tests go through this list.

/// The login was stored, D1 does not show it yet.
pub const LOGIN_AFTER_START: &str = "login.after_start_commit";
/// The secrets are stored, D1 and the portals do not know yet.
pub const LOGIN_AFTER_FINISH: &str = "login.after_finish_commit";
/// The event is stored, the network has no answer yet.
pub const LOGIN_AFTER_HOOK: &str = "login.after_hook_commit";
/// A new portal's row is stored, the portal knows nothing.
pub const LOGIN_AFTER_PORTAL: &str = "login.after_portal_commit";
/// The portal has the events, the log does not say so.
pub const LOGIN_AFTER_HANDOVER: &str = "login.after_handover";
/// The log says that the portal has the events.
pub const LOGIN_AFTER_HANDOVER_COMMIT: &str = "login.after_handover_commit";
/// A step of the making of a portal is stored.
pub const PORTAL_AFTER_STEP: &str = "portal.after_step_commit";
/// The room exists, the portal does not know its id.
pub const PORTAL_AFTER_CREATE: &str = "portal.after_create";
/// Remote events are queued, the login does not know.
pub const PORTAL_AFTER_REMOTE: &str = "portal.after_remote_commit";
/// Before the smallest queued message is chosen.
pub const PORTAL_BEFORE_APPLY: &str = "portal.before_apply";
/// A message is in the room, the lane still has it.
pub const PORTAL_AFTER_APPLY: &str = "portal.after_apply";
/// The lane gave up what is in the room.
pub const PORTAL_AFTER_INBOUND: &str = "portal.after_inbound_commit";
/// A file's bytes are here, the portal does not know.
pub const PORTAL_AFTER_FILE: &str = "portal.after_file";
/// Matrix events are queued, the appservice does not know.
pub const PORTAL_AFTER_MATRIX: &str = "portal.after_matrix_commit";
/// A file's bytes are at the network, that is not written down.
pub const PORTAL_AFTER_UPLOAD: &str = "portal.after_upload";
/// It is written down that a call may have been made.
pub const PORTAL_AFTER_ATTEMPT: &str = "portal.after_attempt_commit";
/// The network has answered, that is not written down.
pub const PORTAL_AFTER_SEND: &str = "portal.after_send";
/// The network's answer is written down.
pub const PORTAL_AFTER_OUTBOUND: &str = "portal.after_outbound_commit";
/// It is written down why an event cannot be sent, the room does not show it yet.
pub const PORTAL_AFTER_REFUSAL: &str = "portal.after_refusal_commit";
/// What a history says is queued, what lies before it is not.
pub const PORTAL_AFTER_CATCH_UP: &str = "portal.after_catch_up_commit";
/// D1 has rows of the map, the portal still means to send them.
pub const PORTAL_AFTER_MIRROR: &str = "portal.after_mirror";

/// All of them.
pub const FAILPOINTS: &[&str] = &[
    LOGIN_AFTER_START,
    LOGIN_AFTER_FINISH,
    LOGIN_AFTER_HOOK,
    LOGIN_AFTER_PORTAL,
    LOGIN_AFTER_HANDOVER,
    LOGIN_AFTER_HANDOVER_COMMIT,
    PORTAL_AFTER_STEP,
    PORTAL_AFTER_CREATE,
    PORTAL_AFTER_REMOTE,
    PORTAL_BEFORE_APPLY,
    PORTAL_AFTER_APPLY,
    PORTAL_AFTER_INBOUND,
    PORTAL_AFTER_FILE,
    PORTAL_AFTER_MATRIX,
    PORTAL_AFTER_UPLOAD,
    PORTAL_AFTER_ATTEMPT,
    PORTAL_AFTER_SEND,
    PORTAL_AFTER_OUTBOUND,
    PORTAL_AFTER_REFUSAL,
    PORTAL_AFTER_CATCH_UP,
    PORTAL_AFTER_MIRROR,
];
