//! What no file may hold.

use crate::tree::Tree;

/// The longest Rust file.
const MAX_LINES: usize = 700;

// Spelt in two parts, or this file would break its own rules.
const STUBS: [&str; 4] =
    [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("#[", "ignore"), concat!("FIX", "ME")];
/// Paths of a developer's machine, and hosts of package registries: which mirror is used is the machine's business.
const OTHER_MACHINES: [&str; 9] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("python", "hosted.org"),
    concat!("npmjs", ".org"),
    concat!("deb.", "debian.org"),
];

/// Files stay short enough to read.
pub(crate) fn length(tree: &Tree) -> Vec<String> {
    let lengths = tree.matching("", ".rs").map(|(path, text)| (path, text.lines().count()));
    lengths.filter(|(_, lines)| *lines > MAX_LINES).map(|(path, lines)| format!("{path}: {lines} lines")).collect()
}

/// Nothing is left undone, no test is switched off.
pub(crate) fn stubs(tree: &Tree) -> Vec<String> {
    find(tree.matching("", ".rs"), &STUBS)
}

/// Nothing of one machine is left in the tree.
pub(crate) fn other_machines(tree: &Tree) -> Vec<String> {
    // The lock file names the index, as Cargo writes it.
    find(tree.files().filter(|(path, _)| !path.ends_with("Cargo.lock")), &OTHER_MACHINES)
}

fn find<'a>(files: impl Iterator<Item = (&'a str, &'a str)>, needles: &[&str]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in files {
        for (number, line) in (1..).zip(text.lines()) {
            let found = needles.iter().filter(|needle| line.contains(*needle));
            complaints.extend(found.map(|needle| format!("{path}:{number}: {needle}")));
        }
    }
    complaints
}

#[test]
fn what_no_file_may_hold_is_found() {
    let bad = ["fn f() { todo@!() }", "#[@ignore = \"slow\"]", "// FIX@ME", "/ho@me/me/x", "https://crates@.io/x"];
    for text in bad.map(|text| text.replace('@', "")) {
        let tree = Tree::of(&[("src/a.rs", &text)]);
        assert_eq!(stubs(&tree).len() + other_machines(&tree).len(), 1, "{text}");
    }
    assert!(other_machines(&Tree::of(&[("Cargo.lock", OTHER_MACHINES[4])])).is_empty());
    let long = "\n".repeat(MAX_LINES + 1);
    assert_eq!(length(&Tree::of(&[("tests/a.rs", &long), ("docs/a.md", &long)])).len(), 1);
}
