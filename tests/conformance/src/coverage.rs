//! Which bullets of the public suite our tests cover: the `/// Suite: …` line above a test names its bullet. One without
//! a test has its reason in [`PENDING`].
//!
//! `cargo run -p hubbub-conformance --bin coverage` writes the table, `--check` compares it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs, io,
    path::Path,
};

use crate::pages::Area;

const MARK: &str = "/// Suite: ";

const ADMIN: &str = "a vendor's admin API";
const FEDERATION: &str = "federation";

/// How the names of bullets without a test may begin, and what it is that they need.
const PENDING: [(&str, &str); 8] = [
    ("TestCanRegisterAdmin", ADMIN),
    ("TestServerNotices", ADMIN),
    ("TestRegistration/POST /_synapse/admin", ADMIN),
    ("TestDeviceListUpdates/", FEDERATION),
    ("TestMessagesOverFederation", FEDERATION),
    ("TestPushRuleRoomUpgrade/parallel/joining a remote", FEDERATION),
    ("TestSync/parallel/sync should succeed even if the sync token points to a redaction", FEDERATION),
    ("TestSyncTimelineGap/", FEDERATION),
];

/// The most reasons for which a peer may fail tests: more would say that our tests are wrong.
const MOST_DIFFERENCES: usize = 5;

/// Why a bullet may go without a test; `None` where it may not.
fn reason(bullet: &str) -> Option<&'static str> {
    PENDING.iter().find(|(start, _)| bullet.starts_with(start)).map(|(_, reason)| *reason)
}

/// A test that claims a bullet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The suite's name, as the doc comment has it.
    pub bullet: String,
    /// Our test, as `file::function`.
    pub test: String,
}

/// Reads the claims of all test files in a folder.
pub fn read_claims(folder: &Path) -> io::Result<Vec<Claim>> {
    let mut files: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    files.sort_by_key(fs::DirEntry::file_name);
    let mut claims = Vec::new();
    for file in files {
        let path = file.path();
        let module = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        claims.extend(claims_of(&module, &fs::read_to_string(&path)?));
    }
    Ok(claims)
}

fn claims_of(module: &str, source: &str) -> Vec<Claim> {
    let mut claims = Vec::new();
    let mut claimed: Vec<&str> = Vec::new();
    for line in source.lines().map(str::trim) {
        if let Some(bullet) = line.strip_prefix(MARK) {
            claimed.push(bullet);
        } else if let Some(function) = line.strip_prefix("async fn ") {
            let function = function.split('(').next().unwrap_or_default();
            for bullet in claimed.drain(..) {
                claims.push(Claim { bullet: bullet.to_owned(), test: format!("{module}::{function}") });
            }
        }
    }
    claims
}

/// What is wrong with the claims: bullets that no page has, bullets that two tests claim, and bullets without a test or
/// a reason for that.
pub fn faults(areas: &[Area], claims: &[Claim]) -> Vec<String> {
    let known: BTreeSet<&str> = areas.iter().flat_map(|area| &area.bullets).map(String::as_str).collect();
    let mut by_bullet: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for claim in claims {
        by_bullet.entry(&claim.bullet).or_default().push(&claim.test);
    }
    let mut faults = Vec::new();
    for (bullet, tests) in by_bullet {
        if !known.contains(bullet) {
            faults.push(format!("no page has the bullet `{bullet}` that {} claims", tests.join(", ")));
        }
        if tests.len() > 1 {
            faults.push(format!("`{bullet}` is claimed more than once: {}", tests.join(", ")));
        }
    }
    let claimed: BTreeSet<&str> = claims.iter().map(|claim| claim.bullet.as_str()).collect();
    for bullet in known.difference(&claimed).filter(|bullet| reason(bullet).is_none()) {
        faults.push(format!("`{bullet}` has neither a test nor a reason"));
    }
    faults
}

/// The differences known of peers as Markdown, one row a reason; an error where there are too many.
pub fn differences(known: &BTreeMap<String, BTreeMap<String, String>>) -> Result<String, String> {
    let mut by_reason: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for (peer, tests) in known {
        for (test, reason) in tests {
            by_reason.entry((peer, reason)).or_default().push(test);
        }
    }
    if by_reason.len() > MOST_DIFFERENCES {
        return Err(format!("there are {} known differences; at most {MOST_DIFFERENCES} may be", by_reason.len()));
    }
    let mut rows = String::new();
    for ((peer, reason), tests) in by_reason {
        let tests: Vec<String> = tests.into_iter().map(|test| format!("`{test}`")).collect();
        let _ = writeln!(rows, "| {peer} | {} | {reason} |", tests.join(", "));
    }
    Ok(format!(
        "\n## What does not pass\n\n\
         Against our own server: nothing. Against a peer, as `known-differences.toml` says:\n\n\
         | server | tests | why |\n|---|---|---|\n{rows}"
    ))
}

/// The coverage table as Markdown.
pub fn table(areas: &[Area], claims: &[Claim]) -> String {
    let claimed: BTreeSet<&str> = claims.iter().map(|claim| claim.bullet.as_str()).collect();
    let is_covered = |bullet: &String| claimed.contains(bullet.as_str());
    let (mut rows, mut pending, mut covered_in_all, mut in_all) = (String::new(), String::new(), 0, 0);
    for area in areas {
        let covered = area.bullets.iter().filter(|bullet| is_covered(bullet)).count();
        let (page, name, count) = (&area.page, &area.name, area.bullets.len());
        let _ = writeln!(rows, "| {page} | {name} | {covered} | {} |", count - covered);
        covered_in_all += covered;
        in_all += count;
        if covered < count {
            let _ = writeln!(pending, "\n### {name} ({page})\n");
            for bullet in area.bullets.iter().filter(|bullet| !is_covered(bullet)) {
                let _ = writeln!(pending, "- {bullet}: {}", reason(bullet).unwrap_or("nothing but a test"));
            }
        }
    }
    format!(
        "# Conformance coverage\n\n\
         Written by `cargo run -p hubbub-conformance --bin coverage`; do not edit. A bullet is one leaf test of the public\n\
         suite; it is covered when a test of ours names it in its doc comment.\n\n\
         | page | area | covered | pending |\n|---|---|---:|---:|\n{rows}| | **all** | **{covered_in_all}** | **{}** |\n\n\
         ## Pending\n\n\
         With what each needs that the suite does not ask for.\n{pending}",
        in_all - covered_in_all,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "/// Suite: TestA/one\n#[tokio::test]\nasync fn one_works() {}\n\nasync fn setup(x: u8) {}\n";

    fn area() -> Area {
        let bullets = vec!["TestA/one".to_owned(), "TestA/two".to_owned()];
        Area { page: "client-1.md".to_owned(), name: "Things".to_owned(), bullets }
    }

    #[test]
    fn a_claim_belongs_to_the_function_that_follows_it() {
        let claim = Claim { bullet: "TestA/one".to_owned(), test: "things::one_works".to_owned() };

        assert_eq!(claims_of("things", SOURCE), [claim]);
    }

    #[test]
    fn unknown_and_doubly_claimed_bullets_are_faults() {
        let mut claims = claims_of("things", SOURCE);
        claims.extend(claims_of("others", SOURCE));
        claims.extend(claims_of("others", "/// Suite: TestZ\nasync fn z() {}"));

        let faults = faults(&[area()], &claims);

        assert_eq!(faults.len(), 3);
        assert!(faults[0].contains("more than once"));
        assert!(faults[1].contains("TestZ"));
        assert!(faults[2].contains("`TestA/two` has neither"));
    }

    #[test]
    fn differences_are_grouped_by_their_reason_and_are_few() {
        let tests = |reasons: usize| {
            let test = |number: usize| (format!("things::{number}"), format!("reason {}", number % reasons));
            BTreeMap::from([("peer".to_owned(), (0..10).map(test).collect())])
        };

        let few = differences(&tests(5)).unwrap();

        assert!(few.contains("| peer | `things::0`, `things::5` | reason 0 |\n"), "{few}");
        assert!(differences(&tests(6)).is_err());
    }

    #[test]
    fn the_table_counts_covered_and_pending_bullets_and_lists_the_pending_ones() {
        let table = table(&[area()], &claims_of("things", SOURCE));

        assert!(table.contains("| client-1.md | Things | 1 | 1 |"));
        assert!(table.ends_with("### Things (client-1.md)\n\n- TestA/two: nothing but a test\n"));
    }
}
