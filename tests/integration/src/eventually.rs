//! Waiting for what another process does in its own time.

use std::time::{Duration, Instant};

/// How long anything may take to come about.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long to wait between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Looks again and again until there is something; panics with `what` when it never comes.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(since.elapsed() < PATIENCE, "it did not come about within {} s: {what}", PATIENCE.as_secs());
        tokio::time::sleep(PAUSE).await;
    }
}

/// Looks again and again until the value has stayed the same for `quiet`, and returns it; panics when that takes longer
/// than `patience`.
pub async fn settles<T: PartialEq>(quiet: Duration, patience: Duration, mut look: impl AsyncFnMut() -> T) -> T {
    let since = Instant::now();
    let mut last = look().await;
    let mut unchanged_since = Instant::now();
    while unchanged_since.elapsed() < quiet {
        assert!(since.elapsed() < patience, "it did not settle within {} s", patience.as_secs());
        tokio::time::sleep(PAUSE).await;
        let now = look().await;
        if now != last {
            unchanged_since = Instant::now();
            last = now;
        }
    }
    last
}
