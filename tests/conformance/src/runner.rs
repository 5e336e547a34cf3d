//! Reads the output of a run of the suite and compares it with the differences known of a peer
//! (`known-differences.toml`). The `conformance` binary starts the run.

use std::collections::BTreeMap;

/// What a run of the test binary reported: each test's name, and whether it passed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Run {
    /// The tests that ran.
    pub results: BTreeMap<String, bool>,
}

impl Run {
    /// Takes in one line of the test binary's output; lines that report no test change nothing.
    pub fn read_line(&mut self, line: &str) {
        let Some((name, result)) = line.strip_prefix("test ").and_then(|line| line.rsplit_once(" ... ")) else {
            return;
        };
        match result.trim() {
            "ok" => self.results.insert(name.to_owned(), true),
            "FAILED" => self.results.insert(name.to_owned(), false),
            _ => None,
        };
    }
}

/// The differences known of all peers: peer → test name → reason.
pub fn all_known_differences(file: &str) -> Result<BTreeMap<String, BTreeMap<String, String>>, String> {
    toml::from_str(file).map_err(|error| format!("known-differences.toml: {error}"))
}

/// The differences known of one peer: test name → reason. An unknown peer has none.
pub fn known_differences(file: &str, peer: &str) -> Result<BTreeMap<String, String>, String> {
    Ok(all_known_differences(file)?.remove(peer).unwrap_or_default())
}

/// A run compared with what is known of the server.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How many tests passed.
    pub passed: usize,
    /// Tests that failed though no difference is known.
    pub failed: Vec<String>,
    /// How many tests failed as is known.
    pub known: usize,
    /// Tests that pass though they are listed as a known difference.
    pub now_pass: Vec<String>,
    /// Listed tests that do not exist (judged only when the whole suite ran).
    pub not_found: Vec<String>,
}

impl Verdict {
    /// Judges a run. `whole` says that no filter was given.
    pub fn new(run: &Run, known: &BTreeMap<String, String>, whole: bool) -> Self {
        let mut verdict = Self::default();
        for (name, passed) in &run.results {
            match (passed, known.contains_key(name)) {
                (true, listed) => {
                    verdict.passed += 1;
                    if listed {
                        verdict.now_pass.push(name.clone());
                    }
                }
                (false, true) => verdict.known += 1,
                (false, false) => verdict.failed.push(name.clone()),
            }
        }
        if whole {
            let gone = known.keys().filter(|name| !run.results.contains_key(*name));
            verdict.not_found.extend(gone.cloned());
        }
        verdict
    }

    /// Whether all is as expected.
    pub fn is_good(&self) -> bool {
        self.failed.is_empty() && self.now_pass.is_empty() && self.not_found.is_empty()
    }

    /// What to look at, one line a finding, and the summary as the last line.
    pub fn report(&self) -> String {
        let mut lines = Vec::new();
        lines.extend(self.failed.iter().map(|name| format!("failed: {name}")));
        lines.extend(self.now_pass.iter().map(|name| format!("listed as a known difference, but passes: {name}")));
        lines.extend(self.not_found.iter().map(|name| format!("listed as a known difference, but no test: {name}")));
        let (passed, failed, known) = (self.passed, self.failed.len(), self.known);
        lines.push(format!("{passed} passed, {failed} failed, {known} known differences"));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> Run {
        let mut run = Run::default();
        for line in ["running 3 tests", "test a::x ... ok", "test a::y ... FAILED", "test b::z ... FAILED"] {
            run.read_line(line);
        }
        run
    }

    #[test]
    fn a_failure_that_is_listed_is_a_known_difference() {
        let known = known_differences("[synapse]\n\"a::y\" = \"why\"\n\"b::z\" = \"why\"\n", "synapse").unwrap();

        let verdict = Verdict::new(&run(), &known, true);

        assert!(verdict.is_good());
        assert_eq!(verdict.report(), "1 passed, 0 failed, 2 known differences");
    }

    #[test]
    fn an_unlisted_failure_and_a_listed_pass_and_a_listed_name_without_a_test_are_bad() {
        let known =
            known_differences("[synapse]\n\"a::x\" = \"why\"\n\"a::y\" = \"why\"\n\"c::gone\" = \"why\"\n", "synapse");

        let verdict = Verdict::new(&run(), &known.unwrap(), true);

        assert!(!verdict.is_good());
        assert_eq!(verdict.failed, ["b::z"]);
        assert_eq!(verdict.now_pass, ["a::x"]);
        assert_eq!(verdict.not_found, ["c::gone"]);
    }

    #[test]
    fn a_peer_that_is_not_in_the_file_has_no_known_differences() {
        assert_eq!(known_differences("[synapse]\n", "other").unwrap(), BTreeMap::new());
    }
}
