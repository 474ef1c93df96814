//! What the documentation refers to exists.

use std::collections::BTreeSet;

use crate::tree::Tree;

/// The page with a row per requirement of RTSP streaming, and how many requirements each group has.
const REQUIREMENTS: &str = "docs/rtsp-streaming.md";
const GROUPS: [(&str, usize); 16] = [
    ("TR", 17),
    ("RM", 19),
    ("KA", 7),
    ("AU", 12),
    ("HT", 8),
    ("WS", 6),
    ("MC", 8),
    ("SD", 12),
    ("RT", 11),
    ("PL", 14),
    ("MD", 12),
    ("SY", 3),
    ("BC", 15),
    ("RP", 31),
    ("SR", 8),
    ("SN", 2),
];

/// Relative links of Markdown files lead somewhere.
pub(crate) fn links(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in tree.matching("", ".md") {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = target.split('#').next().unwrap_or_default();
            let elsewhere = target.is_empty() || target.contains("://") || target.starts_with("mailto:");
            if !elsewhere && !tree.has(&join(folder, target)) {
                complaints.push(format!("{path}: {target} does not exist"));
            }
        }
    }
    complaints
}

/// Every requirement has its row, once.
pub(crate) fn requirement_rows(tree: &Tree) -> Vec<String> {
    let Some(text) = tree.text(REQUIREMENTS) else { return Vec::new() };
    let rows: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()).collect();
    let known = GROUPS.iter().flat_map(|(group, count)| (1..=*count).map(move |number| format!("{group}-{number}")));
    known
        .filter_map(|id| match rows.iter().filter(|row| **row == id).count() {
            1 => None,
            count => Some(format!("{REQUIREMENTS}: {count} rows for {id}")),
        })
        .collect()
}

/// Tests that a page names as `tests/play.rs::a_name` exist.
pub(crate) fn test_names(tree: &Tree) -> Vec<String> {
    let mut named = BTreeSet::new();
    for (page, text) in tree.matching("", ".md") {
        named.extend(text.split('`').skip(1).step_by(2).filter(|code| code.contains(".rs::")).map(|code| (page, code)));
    }
    let exists = |code: &str| {
        let (file, name) = code.split_once("::").unwrap_or_default();
        let name = name.rsplit("::").next().unwrap_or_default();
        tree.text(file).is_some_and(|text| text.contains(&format!("fn {name}(")))
    };
    let missing = named.into_iter().filter(|(_, code)| !exists(code));
    missing.map(|(page, code)| format!("{page}: no test `{code}`")).collect()
}

/// Joins a relative link to the folder of its page.
fn join(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "." | "" => (),
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[test]
fn a_dead_link_is_found() {
    let page = "[a](b.md) [c](../README.md#top) [d](https://example.org) [e](#here)";
    let whole = [("docs/a.md", page), ("docs/b.md", ""), ("README.md", "[docs](docs/)")];
    assert!(links(&Tree::of(&whole)).is_empty());
    assert_eq!(links(&Tree::of(&whole[..1])).len(), 2);
}

#[test]
fn a_missing_row_and_a_missing_test_are_found() {
    let mut rows = String::new();
    for (group, count) in GROUPS {
        (1..=count).for_each(|number| rows += &format!("| {group}-{number} | later |\n"));
    }
    assert!(requirement_rows(&Tree::of(&[(REQUIREMENTS, &rows)])).is_empty());
    assert_eq!(requirement_rows(&Tree::of(&[(REQUIREMENTS, &rows.replace("| KA-3 |", "| KA-4 |"))])).len(), 2);
    let page = (REQUIREMENTS, "`tests/a.rs::it_works` and `tests/a.rs::tests::it_fails`");
    assert!(test_names(&Tree::of(&[page, ("tests/a.rs", "fn it_works() {} fn it_fails() {}")])).is_empty());
    assert_eq!(test_names(&Tree::of(&[page, ("tests/a.rs", "fn it_works() {}")])).len(), 1);
}
