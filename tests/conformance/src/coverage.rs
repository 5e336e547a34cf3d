//! Which bullets of the public suite our tests cover: the `/// Suite: …` line above a test names its bullet.
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

/// What is wrong with the claims: bullets that no page has, and bullets that two tests claim.
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
    faults
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
                let _ = writeln!(pending, "- {bullet}");
            }
        }
    }
    format!(
        "# Conformance coverage\n\n\
         Written by `cargo run -p hubbub-conformance --bin coverage`; do not edit. A bullet is one leaf test of the public\n\
         suite; it is covered when a test of ours names it in its doc comment.\n\n\
         | page | area | covered | pending |\n|---|---|---:|---:|\n{rows}| | **all** | **{covered_in_all}** | **{}** |\n\n\
         ## Pending\n{pending}",
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

        assert_eq!(faults.len(), 2);
        assert!(faults[0].contains("more than once"));
        assert!(faults[1].contains("TestZ"));
    }

    #[test]
    fn the_table_counts_covered_and_pending_bullets_and_lists_the_pending_ones() {
        let table = table(&[area()], &claims_of("things", SOURCE));

        assert!(table.contains("| client-1.md | Things | 1 | 1 |"));
        assert!(table.ends_with("### Things (client-1.md)\n\n- TestA/two\n"));
    }
}
