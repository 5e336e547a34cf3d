//! The pages that say in prose what the public suite demands: one bullet a leaf test, its name in parentheses at
//! the bullet's end. [`crate::coverage`] counts them against our tests.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The pages whose bullets this suite is about, by file name.
pub const PAGES: [&str; 3] = ["client-1.md", "client-2.md", "rooms.md"];

/// The heading from which on a page is about federation and experiments, which this suite is not.
const BEYOND: &str = "\n# Part 2";

/// A `## ` heading of a page with the leaf tests named beneath it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    /// The page's file name.
    pub page: String,
    /// The heading.
    pub name: String,
    /// The suite's names, in the page's order.
    pub bullets: Vec<String>,
}

/// The folder of the pages: `$HUBBUB_SHARED/conformance`, by default in `../shared` beside the workspace.
pub fn folder(workspace: &Path) -> PathBuf {
    let shared = std::env::var_os("HUBBUB_SHARED").map(PathBuf::from);
    shared.unwrap_or_else(|| workspace.join("../shared")).join("conformance")
}

/// Reads all areas of all pages, in order. Areas without bullets are left out.
pub fn read(folder: &Path) -> io::Result<Vec<Area>> {
    let mut areas = Vec::new();
    for page in PAGES {
        let path = folder.join(page);
        let text = fs::read_to_string(&path).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error} (HUBBUB_SHARED names the folder above)", path.display()))
        })?;
        let ours = text.split(BEYOND).next().unwrap_or(&text);
        areas.extend(areas_of(page, ours));
    }
    Ok(areas)
}

fn areas_of(page: &str, text: &str) -> Vec<Area> {
    let mut areas: Vec<Area> = Vec::new();
    let mut bullet = String::new();
    for line in text.lines().chain(["## "]) {
        let starts_other = line.starts_with("## ") || line.starts_with("- ") || line.trim().is_empty();
        if starts_other {
            if let (Some(area), Some(name)) = (areas.last_mut(), name_at_end(&bullet)) {
                area.bullets.push(name.to_owned());
            }
            bullet.clear();
        }
        if let Some(name) = line.strip_prefix("## ") {
            // What follows in parentheses is a note on the area.
            let name = name.split(" (").next().unwrap_or(name);
            areas.push(Area { page: page.to_owned(), name: name.to_owned(), bullets: Vec::new() });
        } else if line.starts_with("- ") || !bullet.is_empty() {
            bullet.push_str(line.trim());
            bullet.push(' ');
        }
    }
    areas.retain(|area| !area.bullets.is_empty());
    areas
}

/// The suite's name that ends a bullet; names may hold parentheses of their own.
fn name_at_end(bullet: &str) -> Option<&str> {
    let bullet = bullet.trim_end().strip_suffix(')')?;
    let mut open = 1;
    for (at, character) in bullet.char_indices().rev() {
        match character {
            ')' => open += 1,
            '(' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return bullet.get(at + 1..).filter(|name| name.starts_with("Test"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bullets_are_read_with_their_area_and_a_name_that_may_hold_parentheses() {
        let page = "# Page\n\n## Conventions\n\n- no name here\n\n## Rooms (all public)\nAll: a line.\n- One thing → 200.\n  (TestRoom/A list (SYN-205))\n\
                    - Another (see there), `x`. (TestRoom/B)\n\n2 leaf tests in 1 functions\n";

        let areas = areas_of("page.md", page);

        let bullets = vec!["TestRoom/A list (SYN-205)".to_owned(), "TestRoom/B".to_owned()];
        assert_eq!(areas, [Area { page: "page.md".to_owned(), name: "Rooms".to_owned(), bullets }]);
    }

    #[test]
    fn text_that_follows_the_last_parenthesis_means_that_there_is_no_name() {
        assert_eq!(name_at_end("- Something (TestA) and more"), None);
        assert_eq!(name_at_end("- Something (as in the spec)"), None);
    }
}
