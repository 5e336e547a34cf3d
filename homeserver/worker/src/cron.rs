//! The Worker's `scheduled`: which of the core's sweeps a schedule of `wrangler.toml` runs.

use hubbub_core::{media::retention, sweep};
use worker::Env;

use crate::isolate;

/// The schedule of the daily sweep; every other one is frequent.
const DAILY: &str = "0 4 * * *";

/// Runs the sweep of one schedule. Failures are logged: the next tick tries again.
pub async fn run(schedule: &str, env: &Env) {
    let Ok(isolate) = isolate::get(env) else { return };
    if schedule == DAILY {
        match sweep::tidy(&isolate.context).await {
            Ok(found) => {
                for found in found {
                    tracing::warn!("D1 holds {}: {} {}", found.what, found.class, found.name);
                }
            }
            Err(error) => tracing::error!("The daily sweep failed: {error}"),
        }
        if let Err(error) = retention::sweep(&isolate.context).await {
            tracing::error!("The daily sweep of media failed: {error}");
        }
        return;
    }
    if let Err(error) = isolate.bridges.prepare().await {
        tracing::error!("A bridge's bot has no account yet: {error}");
    }
    match sweep::poke(&isolate.context).await {
        Ok(swept) if swept.stuck > 0 || swept.silent > 0 => {
            tracing::warn!("{} objects were stuck, {} did not answer", swept.stuck, swept.silent);
        }
        Ok(_) => {}
        Err(error) => tracing::error!("The sweep failed: {error}"),
    }
}
