//! Metadata and analytics configurations (sections 4.8 and 4.9 of the specification).

use crate::case::{Case, When::Reads, case};

use super::{
    configurations::{Steps, copies_agree, lists_agree, unknown_token_is_refused},
    kind::{ANALYTICS, METADATA},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("MEDIA2-8-1-2", Reads, |t| lists_agree(t, &METADATA, Steps(5))),
        case("MEDIA2-8-1-3", Reads, |t| copies_agree(t, &METADATA)),
        case("MEDIA2-8-1-4", Reads, |t| unknown_token_is_refused(t, &METADATA)),
        case("MEDIA2-9-1-1", Reads, |t| lists_agree(t, &ANALYTICS, Steps(5))),
        case("MEDIA2-9-1-2", Reads, |t| copies_agree(t, &ANALYTICS)),
        case("MEDIA2-9-1-3", Reads, |t| unknown_token_is_refused(t, &ANALYTICS)),
    ]
}
