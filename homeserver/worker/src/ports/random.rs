//! Randomness.

use hubbub_core::context::Random;

/// `crypto.getRandomValues`, through `getrandom`.
pub struct PlatformRandom;

impl Random for PlatformRandom {
    fn fill(&self, buffer: &mut [u8]) {
        if getrandom::fill(buffer).is_err() {
            // Secrets made of zeros would be worse than a reset of the isolate. The platform refuses
            // randomness in the global scope only, where nothing of ours runs.
            std::process::abort();
        }
    }
}
