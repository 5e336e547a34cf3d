//! Writes the tables of `emoji.rs`: all of the crate `emojis` would take 90 KiB of the gzipped Worker, with names, groups
//! and versions that nobody here asks for.

#![expect(clippy::expect_used, reason = "a build fails by panicking")]

use std::{env, fs, path::PathBuf};

use emojis::{Emoji, SkinTone};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let mut emoji = Vec::new();
    let mut names = Vec::new();
    for base in emojis::iter() {
        emoji.push((bare(base), format!("{}\t\t\t{}", base.as_str(), base.shortcode().unwrap_or_default())));
        names.extend(base.shortcodes().map(|name| format!("{name}\t{}", base.as_str())));
        for toned in base.skin_tones().into_iter().flatten() {
            if let Some(tone) = toned.skin_tone().filter(|tone| *tone != SkinTone::Default) {
                emoji.push((bare(toned), format!("{}\t{}\t{}\t", toned.as_str(), tone as u8, base.as_str())));
            }
        }
    }
    emoji.sort();
    names.sort();
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names the folder"));
    let lines: Vec<String> = emoji.into_iter().map(|(_, line)| line).collect();
    fs::write(folder.join("emoji.tsv"), lines.join("\n")).expect("the folder can be written");
    fs::write(folder.join("emoji_names.tsv"), names.join("\n")).expect("the folder can be written");
}

/// The emoji without the selector that asks for a picture: how it is found.
fn bare(emoji: &Emoji) -> String {
    emoji.as_str().replace('\u{fe0f}', "")
}
