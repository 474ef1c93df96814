//! The rules of the house as tests: who may import what, what a core may not touch, how long a file may be, that links
//! and test names in the documentation exist, and that nothing of one machine is left in the tree.
//!
//! Each rule is a function from a [`Tree`] to complaints, so it can be shown to fail on a tree that is made up.

mod docs;
mod rooms;
mod text;
mod tree;

use tree::Tree;

/// Runs every rule.
fn complaints(tree: &Tree) -> Vec<String> {
    let rules = [
        rooms::imports,
        rooms::pure_cores,
        rooms::gstreamer,
        text::length,
        text::stubs,
        text::other_machines,
        docs::links,
        docs::requirement_rows,
        docs::test_names,
    ];
    rules.iter().flat_map(|rule| rule(tree)).collect()
}

#[test]
fn the_house_keeps_its_rules() {
    let tree = Tree::repository();
    assert!(tree.files().count() > 20, "the tree was not found");
    let complaints = complaints(&tree);
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}
